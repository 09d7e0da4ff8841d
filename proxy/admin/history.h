/*
 * history - what the process did during the last 24 hours, in bounded memory.
 *
 * Points of one second for 10 minutes, of 10 seconds for 2 hours, and of 2 minutes for 24 hours.
 * Pure; belongs to one thread. The caller gives totals since the start of the process; the history
 * keeps differences, so the sum over points equals the difference of the counters exactly.
 */
#ifndef LARDER_PROXY_ADMIN_HISTORY_H
#define LARDER_PROXY_ADMIN_HISTORY_H

#include "base/metrics.h"

/* clang-format off */
/* Counters, of which a point has the increase: id, name in JSON. */
#define HISTORY_COUNTS(X)                                                                          \
    X(REQUESTS,     "requests")                                                                    \
    X(HITS,         "hits")                                                                        \
    X(DENIED,       "denied")                                                                      \
    X(ERRORS,       "errors")       /* answered with 5xx, or not at all */                         \
    X(BYTES,        "bytes")        /* sent to clients */                                          \
    X(HIT_BYTES,    "hit_bytes")                                                                   \
    X(TUNNEL_BYTES, "tunnel_bytes")                                                                \
    X(UNSAVED_BYTES,"unsaved_bytes") /* of responses that could not be stored */                     \
    X(ORIGIN_BYTES, "origin_bytes") /* received from origins */                                    \
    X(CONNECTIONS,  "connections")  /* accepted */                                                 \
    X(DROPPED,      "log_dropped")  /* lines that the access log dropped */                                   \
    X(REFUSED,      "refused")      /* connections */                                              \
    X(READS_REFUSED,"reads_refused")
/* Gauges, of which a point has the value at its end: id, name in JSON. */
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

/* `now` is in seconds of a clock that never goes back, here and below. */
struct history *history_new(uint64_t now);
void history_free(struct history **history); /* accepts NULL */

/* Adds the totals as of now. To be called about once a second; after a pause the difference is
 * spread evenly over it. */
void history_add(struct history *history, const struct history_totals *totals, uint64_t now);

/* How much a counter grew in the last `seconds`, which are at most 600. */
uint64_t history_sum(const struct history *history, enum history_count count, uint64_t seconds);

struct history_query {
    uint64_t step;  /* seconds per point: 1, 10 or 120 */
    uint64_t since; /* number of the first point wanted */
    uint64_t now;   /* as for history_add() */
    int64_t wall;   /* the same moment, in seconds since 1970 */
};

/*
 * Writes the points of one step as JSON:
 *
 *   {"step": 1, "first": 1234, "next": 1236, "end": 1763797201, "series": {"requests": [17, 0], …}}
 *
 * "first" is the number of the first point. "next" is the number of the point that is still open,
 * to be given as `since` next time. "end" is when the last point ended, in seconds since 1970.
 * Durations ("hits_us_p50", …) are in µs, and null where nothing was observed. Returns false when
 * there is no such step.
 */
bool history_write(const struct history *history, const struct history_query *query,
                   struct buf *out);

#endif
