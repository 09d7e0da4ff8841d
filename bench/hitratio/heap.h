/*
 * heap - objects by a number of each; the least is on top. For the policies.
 */
#ifndef LARDER_BENCH_HITRATIO_HEAP_H
#define LARDER_BENCH_HITRATIO_HEAP_H

#include "base/span.h"

struct heap {
    uint32_t *objects; /* as a binary heap */
    size_t count;
    uint32_t *place; /* by object: where it is, plus one; 0 when it is not */
    double *value;   /* by object */
};

/* For objects below `objects`. */
void heap_init(struct heap *heap, size_t objects);
void heap_fini(struct heap *heap);

static inline bool heap_has(const struct heap *heap, uint32_t object)
{
    return heap->place[object] != 0;
}

/* Puts it in, or gives it another value. */
void heap_set(struct heap *heap, uint32_t object, double value);
void heap_remove(struct heap *heap, uint32_t object);
/* The object with the least value, which stays. The heap must not be empty. */
uint32_t heap_least(const struct heap *heap);

#endif
