/*
 * pace - does a peer take what waits for it, or send what it has announced, fast enough? A byte now
 * and then is no progress: it would keep what is sent, and what that is read from or goes to, for
 * as long as the peer likes. Pure.
 */
#ifndef LARDER_PROXY_STREAM_PACE_H
#define LARDER_PROXY_STREAM_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes a second, on average over the time in which it may take nothing at all: a tenth of what
 * the slowest modem had. */
#define PACE_LEAST 64

struct pace {
    uint64_t since; /* milliseconds; 0: it was not waited for */
    uint64_t sent;  /* bytes by then */
};

/* What it must take at least within so many milliseconds. */
static inline uint64_t pace_least(uint64_t limit_ms)
{
    uint64_t least = limit_ms * PACE_LEAST / 1000;

    return least ? least : 1;
}

/* Looked at now and then: `sent` bytes are out in all. True: for `limit_ms` (0: no limit) it was
 * the peer that was waited for, each time, and it has taken less than pace_least(). */
static inline bool pace_is_slow(struct pace *pace, bool is_waited_for, uint64_t sent,
                                uint64_t now_ms, uint64_t limit_ms)
{
    if (!is_waited_for) {
        pace->since = 0;
        return false;
    }
    if (pace->since == 0 || sent - pace->sent >= pace_least(limit_ms)) {
        *pace = (struct pace){now_ms, sent};
        return false;
    }
    return limit_ms && now_ms - pace->since >= limit_ms;
}

/* So many bytes more have come of a body that was to be so long: is that progress, with the `seen`
 * ones that were too few? Of a body without a length nobody knows whether there is more to send. */
static inline bool pace_has_come(uint64_t *seen, uint64_t bytes, uint64_t limit_ms)
{
    *seen += bytes;
    if (*seen < pace_least(limit_ms)) {
        return false;
    }
    *seen = 0;
    return true;
}

/* Beside others who want its place, a peer from which a body is to come is looked at more often. */
#define PACE_LOOK_MS 5000

struct pace_in {
    uint64_t
        since;     /* milliseconds: so long it has been slower than PACE_LEAST, or not waited for */
    uint64_t seen; /* bytes since then */
};

/* From now on it is waited for. */
static inline void pace_in_begin(struct pace_in *pace, uint64_t now_ms)
{
    *pace = (struct pace_in){.since = now_ms};
}

static inline void pace_in_add(struct pace_in *pace, uint64_t bytes, uint64_t now_ms)
{
    if (pace_has_come(&pace->seen, bytes, PACE_LOOK_MS)) {
        pace->since = now_ms;
    }
}

static inline bool pace_in_is_slow(const struct pace_in *pace, uint64_t now_ms)
{
    return now_ms - pace->since >= PACE_LOOK_MS;
}

#endif
