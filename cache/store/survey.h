/*
 * survey - what operators can see of a store: its segments, how much of them is live, and tours
 * through the whole index. Costs a running store little. Thread-safe.
 *
 * A tour is made by a thread of the store with low priority: it counts what is live in each segment
 * and, to verify, reads every object. One at a time for each store.
 */
#ifndef LARDER_CACHE_STORE_SURVEY_H
#define LARDER_CACHE_STORE_SURVEY_H

#include "cache/store/store.h"

struct store_segment {
    uint32_t id, pins;
    bool main;       /* in the main log, else in probation */
    bool open;       /* being written, or to be continued */
    bool dropped;    /* dropped, but still pinned */
    int64_t created; /* seconds since 1970 */
    uint64_t capacity;
    uint64_t used;        /* bytes of the file up to the last commit; 0: not opened so far */
    uint64_t hot_objects; /* used more than once, as far as is in memory */
    /* By the last tour, if it has seen this segment: records whose object is in it, and the length
     * of their heads and bodies. A body in several segments counts in each. */
    bool counted;
    uint64_t live_objects, live_bytes;
};

/* Writes at most `max` segments by ascending id, and returns how many. */
size_t store_segments(struct store *store, struct store_segment *out, size_t max);
/* Value of `max` that is enough for all. */
size_t store_segments_max(const struct store *store);

enum store_tour_kind { STORE_COUNT, STORE_VERIFY, STORE_TOURS };

struct store_tour {
    int64_t began, ended; /* seconds since 1970; 0: not so far. Without `err` it was complete */
    int err;              /* why it ended early: -ECANCELED, or an error of the index */
    uint64_t records;     /* in the index at its beginning */
    uint64_t live;        /* records whose object exists and, when verifying, is intact */
    uint64_t dead;        /* whose segment was dropped: misses, no errors */
    uint64_t damaged;     /* deleted from the index */
    uint64_t unreadable;  /* not delivered by the disk; deleted likewise */
    uint64_t bytes;       /* bytes read */
};

/* Begins a tour. `rate`: most bytes a second to read when verifying (0: no limit). Returns 0;
 * ERR_BUSY: one is in progress (a count is ended for a verification); or -errno. */
int store_tour_begin(struct store *store, enum store_tour_kind kind, uint64_t rate);
/* The last tour of the kind, or the one in progress; all zeros: there was none. */
void store_tour(struct store *store, enum store_tour_kind kind, struct store_tour *out);

/* What the bytes on disk are used for, and how much is written. */
struct store_spending {
    uint64_t index, spares; /* bytes */
    uint64_t written;       /* during the last `seconds` */
    unsigned seconds;
};
void store_spending(struct store *store, struct store_spending *out);

#endif
