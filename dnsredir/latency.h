/*
 * latency - how long answers take, in buckets fine enough for microseconds. One thread counts, any
 * thread reads.
 */
#ifndef LARDER_DNSREDIR_LATENCY_H
#define LARDER_DNSREDIR_LATENCY_H

#include "base/metrics.h"

enum { LATENCY_BUCKETS = 16 }; /* the last is all that took longer */

struct latency {
    metric_value buckets[LATENCY_BUCKETS];
    metric_value sum_us;
};

/* `count` answers that each took `us`: a batch costs no more than a single one. */
void latency_observe(struct latency *latency, uint64_t us, uint64_t count);

/* As a histogram of Prometheus called `name`, summed over `count` structs that have a struct
 * latency at `at`. */
void latency_write(struct buf *out, const char *name, const char *help, const void *const *owners,
                   size_t count, size_t at);

#endif
