/*
 * queue - objects in rows, each object in one row at most; for the policies.
 *
 * `items` has a link for each object of the trace; a queue is the two ends of a row.
 */
#ifndef LARDER_BENCH_HITRATIO_QUEUE_H
#define LARDER_BENCH_HITRATIO_QUEUE_H

#include "bench/hitratio/trace.h"

struct queue {
    uint32_t newest, oldest; /* TRACE_NONE when it is empty */
    uint64_t bytes;
    size_t count;
};

struct item {
    struct queue *in; /* NULL: in none */
    uint32_t newer, older;
    uint8_t uses; /* the policy's */
};

struct items {
    const struct trace *trace;
    struct item *of; /* by object */
};

void items_init(struct items *items, const struct trace *trace);
void items_fini(struct items *items);

void queue_init(struct queue *queue);
/* At the newest end. The object must be in no queue. */
void queue_push(struct items *items, struct queue *queue, uint32_t object);
/* Out of the queue it is in. */
void queue_remove(struct items *items, uint32_t object);
/* Takes the oldest out; the queue must not be empty. */
uint32_t queue_pop(struct items *items, struct queue *queue);

#endif
