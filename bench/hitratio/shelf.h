/*
 * shelf - a cache that is one queue; policies differ in what a hit does and in who is evicted.
 */
#ifndef LARDER_BENCH_HITRATIO_SHELF_H
#define LARDER_BENCH_HITRATIO_SHELF_H

#include "bench/hitratio/policy.h"
#include "bench/hitratio/queue.h"

struct shelf {
    struct items items;
    struct queue queue;
    uint64_t capacity;
    uint32_t hand; /* TRACE_NONE: at the oldest */
};

void *shelf_make(const struct trace *trace, uint64_t capacity);
void shelf_drop(void *self);

/* A miss is inserted at the newest end, unused, after `evict` has made room, one object at a time.
 */
bool shelf_request(struct shelf *shelf, size_t at,
                   void (*hit)(struct shelf *shelf, uint32_t object),
                   void (*evict)(struct shelf *shelf));

/* A hit that only leaves a mark. */
void shelf_mark(struct shelf *shelf, uint32_t object);

#endif
