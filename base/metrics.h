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

/* A macro and not a struct, so that lists stay plain. */
#define metric_value atomic_uint_fast64_t

/* The values a label may have: a closed set, or memory grows with what strangers send. */
struct metric_label {
    const char *name; /* NULL: no label */
    const char *const *words;
    size_t count;
};

/* One family. With labels the field is an array, of count or, row by row, count × count values. */
struct metric {
    const char *name; /* without prefix; counters get "_total"; NULL ends the table */
    enum metric_kind kind;
    size_t at;        /* of the field */
    const char *help; /* a sentence */
    struct metric_label labels[2];
};

/* clang-format off */
#define METRIC_FIELD_(name, kind, help) metric_value name;
#define METRIC_FIELDS(LIST) LIST(METRIC_FIELD_)
/* The row of one field; the list is written with the struct's type bound to it:
 *     #define ROW(name, kind, help) METRIC_ROW(struct counters, name, kind, help) */
#define METRIC_ROW(type, name, kind, help)                                                         \
    {#name, METRIC_##kind, offsetof(type, name), help, {{NULL, NULL, 0}, {NULL, NULL, 0}}},
/* clang-format on */

/* ---- the writing thread ---- */

/* Only by the thread that owns the value: a plain addition, no locked instruction. */
static inline void metric_add(metric_value *value, uint64_t n)
{
    uint64_t now = atomic_load_explicit(value, memory_order_relaxed);
    atomic_store_explicit(value, now + n, memory_order_relaxed);
}

/* For gauges. What one thread adds another may take away: only the sum counts. */
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

/* Durations, from 100 µs to 30 s in buckets of about 1, 2.5, 5. */
enum { HISTOGRAM_BUCKETS = 18 }; /* the last is all that took longer */

struct histogram {
    metric_value buckets[HISTOGRAM_BUCKETS];
    metric_value sum_us;
};

void histogram_observe(struct histogram *histogram, uint64_t us);

/* ---- the reader ---- */

/* All families of `rows`, summed over `count` structs, as Prometheus text (format 0.0.4). Names
 * get `prefix` in front. Gauges may be negative only in passing; they are shown as 0 then. */
void metrics_write(struct buf *out, const char *prefix, const struct metric *rows,
                   const void *const *owners, size_t count);

/* One family by hand, for values that no thread counts. Samples follow their head at once. */
void metrics_head(struct buf *out, const char *prefix, const char *name, enum metric_kind kind,
                  const char *help);
/* `label` may be NULL. */
void metrics_sample(struct buf *out, const char *prefix, const char *name, enum metric_kind kind,
                    const char *label, struct span word, uint64_t value);

/* The sum of one field, for /status. */
uint64_t metrics_sum(const void *const *owners, size_t count, size_t at);

/* The duration in µs below which `percent` of the observations lie, as the upper bound of its
 * bucket; 0 without observations. Summed like the rest. */
uint64_t metrics_quantile(const void *const *owners, size_t count, size_t at, unsigned percent);

/* The observations by bucket; `at` is the histogram. Summed like the rest. */
void metrics_buckets(const void *const *owners, size_t count, size_t at,
                     uint64_t out[HISTOGRAM_BUCKETS]);

/* The duration in µs below which `percent` of observations with these buckets lie, estimated as if
 * those of a bucket were spread evenly over it (as Prometheus does); 0 without observations. */
uint64_t histogram_estimate(const uint64_t buckets[HISTOGRAM_BUCKETS], unsigned percent);

#endif
