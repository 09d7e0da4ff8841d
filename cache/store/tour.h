/*
 * tour - the inside of a tour (survey.h): its thread, and what it has counted.
 */
#ifndef LARDER_CACHE_STORE_TOUR_H
#define LARDER_CACHE_STORE_TOUR_H

#include "cache/store/survey.h"

#include <pthread.h>

/* What is live in one segment. */
struct live_count {
    uint32_t id;
    uint64_t objects, bytes;
};

struct tours {
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    pthread_t thread;
    bool started; /* the thread has to be joined */
    bool busy, stop;
    bool yield; /* end a count, for a verification */
    enum store_tour_kind kind;
    uint64_t rate;
    struct store_tour last[STORE_TOURS];
    struct live_count *counts; /* of the last complete tour, sorted by id */
    size_t segment_count;
};

void tours_init(struct tours *tours);
/* Ends the tour in progress, for good. The rest of the store still works. */
void tours_stop(struct tours *tours);
void tours_fini(struct tours *tours);

/* Copies the count of a segment. False: there is none. */
bool tours_live_count(struct tours *tours, uint32_t id, struct live_count *out);

#endif
