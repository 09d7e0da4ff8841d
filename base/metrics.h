/*
 * metrics - counters that cost an addition, summed only when somebody looks, as Prometheus text.
 *
 * Each thread has its own struct of counters and is the only one that writes to it; the reader, on
 * any thread, adds up all of them. One list declares a struct and its descriptions:
 *
 *     #define COUNTERS(X)                                                                  \
 *         X(requests,    COUNTER, "Requests received")                                     \
 *         X(connections, GAUGE,   "Open client connections")
 *     struct counters {
 *         METRIC_FIELDS(COUNTERS)
 *         metric_value outcomes[OUTCOME_COUNT];       // a family with a label
 *         struct histogram latency;
 *     };
 *     #define ROW(name, kind, help) METRIC_ROW(struct counters, name, kind, help)
 *     static const struct metric rows[] = {
 *         COUNTERS(ROW)
 *         {"requests_by_outcome", METRIC_COUNTER, offsetof(struct counters, outcomes),
 *          "Requests by what the cache did", {{"outcome", outcome_words, OUTCOME_COUNT}}},
 *         {"request_seconds", METRIC_HISTOGRAM, offsetof(struct counters, latency), "…", {{0}}},
 *         {0},
 *     };
 *     metric_add(&counters->requests, 1);
 *     metrics_write(out, "larder_", rows, all_counters, thread_count);
 */
#ifndef LARDER_BASE_METRICS_H
#define LARDER_BASE_METRICS_H

#include "base/buf.h"

#include <stdatomic.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A macro instead of a struct, so that lists stay plain. */
#define metric_value atomic_uint_fast64_t

/* The values of a label: a closed set, so that strangers cannot make memory grow. */
struct metric_label {
    const char *name; /* NULL: no label */
    const char *const *words;
    size_t count;
};

/* One family. With labels the field is an array of count, or (by rows) count × count values. */
struct metric {
    const char *name; /* without prefix; "_total" is appended for counters; NULL ends the table */
    enum metric_kind kind;
    size_t at;        /* of the field */
    const char *help; /* a sentence */
    struct metric_label labels[2];
};

/* clang-format off */
#define METRIC_FIELD_(name, kind, help) metric_value name;
#define METRIC_FIELDS(LIST) LIST(METRIC_FIELD_)
/* The row of one field; the list is expanded with `type` bound to the struct: */
#define METRIC_ROW(type, name, kind, help)                                                         \
    {#name, METRIC_##kind, offsetof(type, name), help, {{NULL, NULL, 0}, {NULL, NULL, 0}}},
/* clang-format on */

/* ---- the writing thread ---- */

/* Adds to a counter or gauge. Only for the thread that owns the value; needs no locked
 * instruction. */
static inline void metric_add(metric_value *value, uint64_t n)
{
    uint64_t now = atomic_load_explicit(value, memory_order_relaxed);
    atomic_store_explicit(value, now + n, memory_order_relaxed);
}

/* For gauges. One thread may subtract what another has added: only the sum counts. */
static inline void metric_sub(metric_value *value, uint64_t n)
{
    metric_add(value, 0 - n);
}

static inline void metric_set(metric_value *value, uint64_t n)
{
    atomic_store_explicit(value, n, memory_order_relaxed);
}

static inline uint64_t metric_get(const metric_value *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* Durations from 100 µs to 30 s, in buckets of about 1, 2.5, 5. */
enum { HISTOGRAM_BUCKETS = 18 }; /* the last one is for everything longer */

struct histogram {
    metric_value buckets[HISTOGRAM_BUCKETS];
    metric_value sum_us;
};

void histogram_observe(struct histogram *histogram, uint64_t us);

/* ---- the reader ---- */

/* Writes all families of `rows`, summed over `count` structs, as Prometheus text (format 0.0.4),
 * with `prefix` before each name. A gauge whose sum is negative for a moment is shown as 0. */
void metrics_write(struct buf *out, const char *prefix, const struct metric *rows,
                   const void *const *owners, size_t count);

/* Writes the head of one family, for values that no thread counts. Its samples must follow. */
void metrics_head(struct buf *out, const char *prefix, const char *name, enum metric_kind kind,
                  const char *help);
/* `label` may be NULL. */
void metrics_sample(struct buf *out, const char *prefix, const char *name, enum metric_kind kind,
                    const char *label, struct span word, uint64_t value);

/* The sum of one field. */
uint64_t metrics_sum(const void *const *owners, size_t count, size_t at);

/* The duration in µs below which `percent` of the observations lie: the upper bound of a bucket; 0
 * without observations. `at` is the histogram. */
uint64_t metrics_quantile(const void *const *owners, size_t count, size_t at, unsigned percent);

/* The observations in each bucket, summed; `at` is the histogram. */
void metrics_buckets(const void *const *owners, size_t count, size_t at,
                     uint64_t out[HISTOGRAM_BUCKETS]);

/* Estimates the duration in µs below which `percent` of these observations lie, as if those in a
 * bucket were evenly distributed (as Prometheus does); 0 without observations. */
uint64_t histogram_estimate(const uint64_t buckets[HISTOGRAM_BUCKETS], unsigned percent);

#endif
