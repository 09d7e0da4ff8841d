/*
 * pace - is a peer too slow in taking what waits for it, or in sending what it has announced? Or
 * too fast with interim responses?
 * Without a minimum rate a peer that moves one byte now and then could hold memory and connections
 * as long as it likes. Pure.
 */
#ifndef LARDER_PROXY_STREAM_PACE_H
#define LARDER_PROXY_STREAM_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Minimum rate in bytes a second, averaged over the timeout: a tenth of the slowest modem. */
#define PACE_LEAST 64

struct pace {
    uint64_t since; /* milliseconds; 0: the peer is not waited for */
    uint64_t sent;  /* bytes sent by then */
};

/* Bytes that it must take within `limit_ms`. */
static inline uint64_t pace_least(uint64_t limit_ms)
{
    uint64_t least = limit_ms * PACE_LEAST / 1000;

    return least ? least : 1;
}

/* To be called now and then; `sent` counts all bytes so far. True: at every call in the last
 * `limit_ms` (0: no limit) the peer was waited for, and it took less than pace_least(). */
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

#define PACE_LOOK_MS 5000

/* The same for that long, by the latest of those calls: where others want the memory. What the
 * peer had done by `read_ms` (loop_read_ms()) is known; that may be before `since`. */
static inline bool pace_is_stalled(const struct pace *pace, uint64_t read_ms)
{
    return pace->since && read_ms >= pace->since + PACE_LOOK_MS;
}

/* Counts received bytes of a body whose length is known. True: with the `seen` ones before they
 * are enough to count as progress. (Without a length nobody knows whether the peer has more to
 * send.) */
static inline bool pace_has_come(uint64_t *seen, uint64_t bytes, uint64_t limit_ms)
{
    *seen += bytes;
    if (*seen < pace_least(limit_ms)) {
        return false;
    }
    *seen = 0;
    return true;
}

/* Rate of a body being received. It is checked after PACE_LOOK_MS when others want the connection's
 * place. */
struct pace_in {
    uint64_t since; /* ms: of the last sufficient progress */
    uint64_t seen;  /* bytes since then */
};

/* The body is waited for from now on. */
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

/* What had come by `read_ms` is known, as for pace_is_stalled(). */
static inline bool pace_in_is_slow(const struct pace_in *pace, uint64_t read_ms)
{
    return read_ms >= pace->since + PACE_LOOK_MS;
}

/* Most interim responses to one request within a second; more are an attack. How many there are in
 * all is not limited: some origins report the progress of hours with them (102, or 104 for
 * resumable uploads). */
#define PACE_INTERIMS_MAX 32

struct pace_interims {
    uint64_t since; /* ms: the first one of this second */
    uint8_t count;  /* within it; 0: there was none at all */
};

/* One has come. True: it is one too many. */
static inline bool pace_interims_flood(struct pace_interims *pace, uint64_t now_ms)
{
    if (now_ms - pace->since >= 1000) {
        *pace = (struct pace_interims){.since = now_ms};
    }
    return ++pace->count > PACE_INTERIMS_MAX;
}

#endif
