/*
 * cold - reads of the disk that an event loop waits for. Belongs to one thread, except its waker.
 *
 * A lookup on a loop goes through one of these. What is not in memory is requested from the disk,
 * `again` is set, and the waker is called when it has come. Then the loop repeats the whole lookup,
 * and finds what was read, which is held until cold_fini().
 */
#ifndef LARDER_CACHE_COLD_H
#define LARDER_CACHE_COLD_H

#include "cache/key.h"
#include "cache/store/stores.h"
#include "cache/waker.h"

enum cold_way {
    COLD_ASK,   /* requests what is not in memory */
    COLD_MUST,  /* the same, however long the queue is */
    COLD_NEVER, /* does not; what is not in memory counts as unknown */
};

struct cold {
    enum cold_way way;
    struct list reads; /* requested or complete */
    struct waker waker;
    bool again; /* since cold_begin() something was not in memory */
};

/* A zeroed struct needs no cold_fini(). */
void cold_init(struct cold *cold, enum cold_way way, struct waker waker);
void cold_fini(struct cold *cold);

/* Begins a lookup, or repeats it. */
void cold_begin(struct cold *cold);
/* Has everything requested come? */
bool cold_is_ready(const struct cold *cold);

/* As store_find(). ERR_AGAIN: it is not in memory, and `again` was set. ERR_BUSY: it cannot be
 * requested as the queue is full, or it repeatedly left memory before it was found. */
int cold_find(struct cold *cold, struct shelf shelf, const struct cache_key *key,
              struct store_object *out);

#endif
