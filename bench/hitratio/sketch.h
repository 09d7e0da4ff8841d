/*
 * sketch - about how often each of many things was seen lately: count-min of 4 rows, counters up to
 * 15, halved when as many were counted as ten times the things it is for (TinyLFU, Einziger 2017).
 */
#ifndef LARDER_BENCH_HITRATIO_SKETCH_H
#define LARDER_BENCH_HITRATIO_SKETCH_H

#include "base/span.h"

struct sketch {
    uint8_t *counters;
    uint64_t mask; /* counters in a row, less one */
    uint64_t seen, period;
};

void sketch_init(struct sketch *sketch, uint64_t things);
void sketch_fini(struct sketch *sketch);
void sketch_see(struct sketch *sketch, uint32_t thing);
unsigned sketch_count(const struct sketch *sketch, uint32_t thing);

#endif
