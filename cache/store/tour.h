/*
 * tour - the inside of what survey.h calls a tour: its thread, and what it has counted.
 */
#ifndef LARDER_CACHE_STORE_TOUR_H
#define LARDER_CACHE_STORE_TOUR_H

#include "cache/store/survey.h"

#include <pthread.h>

/* What is live in a segment. */
struct tally {
    uint32_t id;
    uint64_t objects, bytes;
};

struct tours {
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    pthread_t thread;
    bool started; /* the thread is to be joined */
    bool busy, stop;
    bool yield; /* a count, to who wants to verify */
    enum store_tour_kind kind;
    uint64_t rate;
    struct store_tour last[STORE_TOURS];
    struct tally *tallies; /* of the last whole tour, by id */
    size_t tally_count;
};

void tours_init(struct tours *tours);
/* Ends the tour under way; no other begins. The rest of the store still works. */
void tours_stop(struct tours *tours);
void tours_fini(struct tours *tours);

/* Copies what is known of a segment; false: nothing. */
bool tours_tally(struct tours *tours, uint32_t id, struct tally *out);

#endif
