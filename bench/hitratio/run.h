/*
 * run - a trace played over a policy.
 */
#ifndef LARDER_BENCH_HITRATIO_RUN_H
#define LARDER_BENCH_HITRATIO_RUN_H

#include "bench/hitratio/policy.h"

struct outcome {
    double objects; /* hits, in percent of the requests after the warm-up */
    double bytes;   /* bytes of hits, in percent of the bytes asked for */
    double copied;  /* bytes copied, in percent of those inserted, after the warm-up; 0 for most */
};

/* The first `warm_up` requests fill the cache and are not counted. */
struct outcome run(const struct policy *policy, const struct trace *trace, uint64_t capacity,
                   size_t warm_up);

#endif
