/*
 * history - what the process did during the last 24 hours, in memory that does not grow: every
 * second of 10 minutes, every 10 seconds of 2 hours, every 2 minutes of 24 hours. Pure; belongs to
 * the thread that has it.
 *
 * It is fed with totals since the start of the process, and keeps differences: sums over its points
 * are differences of the counters, to the last request.
 */
#ifndef LARDER_PROXY_HISTORY_H
#define LARDER_PROXY_HISTORY_H

#include "base/metrics.h"

/* clang-format off */
/* Grows since the start; a point has what was added: id, name in JSON */
#define HISTORY_COUNTS(X)                                                                          \
    X(REQUESTS,     "requests")                                                                    \
    X(HITS,         "hits")                                                                        \
    X(DENIED,       "denied")                                                                      \
    X(ERRORS,       "errors")       /* answered with 5xx, or not at all */                         \
    X(BYTES,        "bytes")        /* sent to clients */                                          \
    X(HIT_BYTES,    "hit_bytes")                                                                   \
    X(TUNNEL_BYTES, "tunnel_bytes")                                                                \
    X(UNSAVED_BYTES,"unsaved_bytes") /* of responses that could not be kept */                     \
    X(ORIGIN_BYTES, "origin_bytes") /* received from origins */                                    \
    X(CONNECTIONS,  "connections")  /* accepted */                                                 \
    X(DROPPED,      "log_dropped")  /* lines of the access log */                                   \
    X(REFUSED,      "refused")      /* connections */                                              \
    X(READS_REFUSED,"reads_refused")
/* Of the moment a point ends: id, name */
#define HISTORY_GAUGES(X)                                                                          \
    X(OPEN,         "open")                                                                        \
    X(OPEN_H2,      "open_h2")                                                                     \
    X(OPEN_TLS,     "open_tls")                                                                    \
    X(OPEN_TUNNELS, "open_tunnels")                                                                \
    X(FETCHES,      "fetches")                                                                     \
    X(MEMORY,       "memory_used")                                                                 \
    X(RESIDENT,     "memory_resident")                                                             \
    X(STORE,        "store_used")                                                                  \
    X(DIRTY,        "store_dirty")
/* clang-format on */

enum history_count {
#define X(id, name) HISTORY_##id,
    HISTORY_COUNTS(X)
#undef X
        HISTORY_COUNT_COUNT
};

enum history_gauge {
#define X(id, name) HISTORY_##id,
    HISTORY_GAUGES(X)
#undef X
        HISTORY_GAUGE_COUNT
};

struct history_totals {
    uint64_t counts[HISTORY_COUNT_COUNT];
    uint64_t gauges[HISTORY_GAUGE_COUNT];
    uint64_t hits[HISTOGRAM_BUCKETS], misses[HISTOGRAM_BUCKETS];
};

struct history;

/* `now`: seconds of a clock that never goes back. */
struct history *history_new(uint64_t now);
void history_free(struct history **history); /* accepts NULL */

/* The totals as they are now; about once a second. What it was not told of a while is spread over
 * that evenly. */
void history_add(struct history *history, const struct history_totals *totals, uint64_t now);

/* What was added in the last `seconds`, at most 600. */
uint64_t history_sum(const struct history *history, enum history_count count, uint64_t seconds);

struct history_query {
    uint64_t step;  /* seconds of a point: 1, 10 or 120 */
    uint64_t since; /* number of the first point that is wanted */
    uint64_t now;   /* as for history_add() */
    int64_t wall;   /* the same moment, in seconds since 1970 */
};

/*
 * The points of one step as JSON:
 *
 *   {"step": 1, "first": 1234, "next": 1236, "end": 1763797201, "series": {"requests": [17, 0], …}}
 *
 * "first" is the number of the first one, "next" that of the one that is not over yet, to be asked
 * for as `since`; "end" is when the last one ended, in seconds since 1970. Durations in µs
 * ("hits_us_p50", …) are null where nothing was observed. False: there is no such step.
 */
bool history_write(const struct history *history, const struct history_query *query,
                   struct buf *out);

#endif
