/*
 * survey - a store looked at from outside: its segments, what of them is live, and tours through
 * all of its index. For operators; costs a running store little. Any thread.
 *
 * A tour is made by a thread of the store's own, with low priority: it counts what is live in each
 * segment, and to verify it reads every object, too. One at a time in each store.
 */
#ifndef LARDER_CACHE_STORE_SURVEY_H
#define LARDER_CACHE_STORE_SURVEY_H

#include "cache/store/store.h"

struct store_segment {
    uint32_t id, pins;
    bool main;       /* of the main log, else of probation */
    bool open;       /* it is, or is to be, written to */
    bool dropped;    /* given up, and still read by who pins it */
    int64_t created; /* seconds since 1970 */
    uint64_t capacity;
    uint64_t used;        /* bytes of the file up to the last commit; 0: not opened yet */
    uint64_t hot_objects; /* asked for more than once, as far as is in memory */
    /* As of the last tour, if it has met this segment: records whose object is in it, and the bytes
     * of their heads and bodies. A body over several segments counts for each of them alike. */
    bool counted;
    uint64_t live_objects, live_bytes;
};

/* Those that exist, at most `max`, in order of their ids. Returns how many were written. */
size_t store_segments(struct store *store, struct store_segment *out, size_t max);
/* `max` for all of them. */
size_t store_segments_max(const struct store *store);

enum store_tour_kind { STORE_COUNT, STORE_VERIFY, STORE_TOURS };

struct store_tour {
    int64_t began,
        ended;           /* seconds since 1970; 0: not yet. Ended without an `err` is a whole one */
    int err;             /* why it ended early: -ECANCELED, or the index cannot be read */
    uint64_t records;    /* in the index when it began */
    uint64_t live;       /* records whose object is there; when verifying: and is right */
    uint64_t dead;       /* whose segment was given up: misses, no faults */
    uint64_t damaged;    /* dropped from the index: misses from now on */
    uint64_t unreadable; /* the disk did not give them: the same */
    uint64_t bytes;      /* read */
};

/* Begins a tour; `rate` is the bytes a second to read at most when verifying (0: no limit). 0,
 * ERR_BUSY while one is under way (a count makes way for who wants to verify), or -errno. */
int store_tour_begin(struct store *store, enum store_tour_kind kind, uint64_t rate);
/* The last tour of the kind, or the one under way: all zeros when there was none. */
void store_tour(struct store *store, enum store_tour_kind kind, struct store_tour *out);

/* How the bytes on disk are spent, and how fast it is written. */
struct store_spending {
    uint64_t index, spares; /* bytes */
    uint64_t written;       /* bytes in the last `seconds` */
    unsigned seconds;
};
void store_spending(struct store *store, struct store_spending *out);

#endif
