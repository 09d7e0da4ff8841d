/*
 * trace - a row of requests for objects that are numbered from 0 in the order they come.
 *
 * One thread. An id that comes with another size is another object: what it named has changed.
 */
#ifndef LARDER_BENCH_HITRATIO_TRACE_H
#define LARDER_BENCH_HITRATIO_TRACE_H

#include "base/span.h"

#define TRACE_NONE UINT32_MAX

/* Numbers by a 64-bit hash; open addressing. */
struct trace_ids {
    uint64_t *hashes; /* 0 is an empty place */
    uint32_t *numbers;
    size_t mask, count;
};

struct trace {
    uint32_t *requests; /* objects, as they are asked for */
    size_t count, room;
    uint64_t *sizes; /* bytes of each object, at least 1 */
    size_t objects, objects_room;
    uint64_t bytes; /* of all objects, each once: the footprint */
    struct trace_ids ids;
};

void trace_init(struct trace *trace);
void trace_fini(struct trace *trace);

/* The object of that name and size; a new one when it was not seen before. */
uint32_t trace_object(struct trace *trace, struct span name, uint64_t size);
/* An object without a name. */
uint32_t trace_add_object(struct trace *trace, uint64_t size);
void trace_add(struct trace *trace, uint32_t object);

/* Does any object have another size than 1? */
bool trace_is_sized(const struct trace *trace);

/* Where *trace_ids_at() is TRACE_NONE the hash was not there; the caller puts its number. */
uint32_t *trace_ids_at(struct trace_ids *ids, uint64_t hash);
void trace_ids_fini(struct trace_ids *ids);
uint64_t trace_hash(struct span name, uint64_t size);

#endif
