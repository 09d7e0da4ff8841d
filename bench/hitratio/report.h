/*
 * report - outcomes of several policies at several cache sizes, as tables.
 */
#ifndef LARDER_BENCH_HITRATIO_REPORT_H
#define LARDER_BENCH_HITRATIO_REPORT_H

#include "bench/hitratio/run.h"

#include <stdio.h>

#define REPORT_SIZES 16

struct report {
    const char *title;
    bool sized; /* else bytes are objects, and one table is enough */
    const struct policy *const *policies;
    size_t policy_count;
    double share[REPORT_SIZES];      /* of the footprint, in percent */
    uint64_t capacity[REPORT_SIZES]; /* the same, in bytes */
    size_t size_count;
    struct outcome *outcomes; /* by policy, then by size */
};

static inline struct outcome *report_at(const struct report *report, size_t policy, size_t size)
{
    return &report->outcomes[policy * report->size_count + size];
}

/* For people: objects, bytes, each with how far ours are from the best of the others, and what they
 * copied. */
void report_print(const struct report *report, FILE *to);

/* For plot.py: title, policy, share, capacity, objects, bytes, copied; a line each. */
void report_tsv(const struct report *report, FILE *to);

#endif
