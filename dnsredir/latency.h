/*
 * latency - how long answers take, in buckets fine enough for microseconds. One thread counts, any
 * thread reads.
 */
#ifndef LARDER_DNSREDIR_LATENCY_H
#define LARDER_DNSREDIR_LATENCY_H

#include "base/metrics.h"

enum { LATENCY_BUCKETS = 16 }; /* the last one is for all that took longer */

struct latency {
    metric_value buckets[LATENCY_BUCKETS];
    metric_value sum_us;
};

/* Counts `count` answers that each took `us` microseconds, at once. */
void latency_observe(struct latency *latency, uint64_t us, uint64_t count);

/* Appends a histogram of Prometheus called `name`: the sum over `count` structs in `owners`, each
 * with a struct latency at offset `at`. */
void latency_write(struct buf *out, const char *name, const char *help, const void *const *owners,
                   size_t count, size_t at);

#endif
