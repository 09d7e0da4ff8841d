/*
 * policy - what a cache does at a request, for the simulator. One file a policy.
 *
 * One thread. A policy is made for a trace and a capacity in bytes, and is then asked once for each
 * request of the trace, in order. What is not cached is inserted, if the policy wants it.
 */
#ifndef LARDER_BENCH_HITRATIO_POLICY_H
#define LARDER_BENCH_HITRATIO_POLICY_H

#include "bench/hitratio/trace.h"

/* What a policy wrote besides what was served: zero but for those that copy. */
struct policy_cost {
    uint64_t inserted; /* bytes of objects put into the cache after a miss */
    uint64_t copied;   /* bytes written once more to keep them */
};

struct policy {
    const char *name;
    bool offline; /* it knows the future: a bound, not a choice */
    bool ours;    /* held against the best of the others */
    void *(*make)(const struct trace *trace, uint64_t capacity);
    /* The request at trace->requests[at]. True: a hit. */
    bool (*request)(void *self, size_t at);
    void (*drop)(void *self);
    struct policy_cost (*cost)(const void *self); /* may be NULL */
};

extern const struct policy policy_fifo, policy_lru, policy_clock, policy_sieve, policy_s3fifo,
    policy_wtinylfu, policy_gdsf, policy_belady, policy_larder, policy_larder_both,
    policy_larder_bytes;

#endif
