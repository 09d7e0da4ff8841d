/*
 * latency - a histogram of how long things took, in classes of 1/64 of their power of two: 1.6 %
 * wide at most, from 1 ns to an hour. One for the program; one thread.
 */
#ifndef LARDER_BENCH_LATENCY_H
#define LARDER_BENCH_LATENCY_H

#include <stdint.h>

void latency_count(uint64_t ns);

/* The least that `share` of all took no longer than, within a class. 0 when there are none. */
double latency_quantile_ms(double share);
double latency_mean_ms(void);
double latency_worst_ms(void);

#endif
