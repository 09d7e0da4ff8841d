/*
 * cold - what has to be read from the disk before somebody can go on. Belongs to one thread, but
 * for its waker.
 *
 * An event loop looks for what it wants through one of these. What is not in memory is then asked
 * for, `again` says so, and the waker is called when it has come; the loop looks once more, for all
 * of it, as if for the first time. What was read is held for that until cold_fini().
 */
#ifndef LARDER_CACHE_COLD_H
#define LARDER_CACHE_COLD_H

#include "cache/key.h"
#include "cache/store/stores.h"
#include "cache/waker.h"

enum cold_way {
    COLD_ASK,   /* what is not in memory is asked for */
    COLD_MUST,  /* the same, however many wait already */
    COLD_NEVER, /* nor can it be waited for: it counts as not known */
};

struct cold {
    enum cold_way way;
    struct list reads; /* asked for, or there */
    struct waker waker;
    bool again; /* something was not in memory since cold_begin() */
};

/* Zeroed is as good as given back. */
void cold_init(struct cold *cold, enum cold_way way, struct waker waker);
void cold_fini(struct cold *cold);

/* Looks anew. */
void cold_begin(struct cold *cold);
/* Nothing that was asked for is still under way. */
bool cold_is_ready(const struct cold *cold);

/* As store_find(): ERR_AGAIN when it is not in memory, and `again` is set. Not for ever: what does
 * not stay in memory long enough to be found, or cannot be asked for because too many wait, is
 * ERR_BUSY. */
int cold_find(struct cold *cold, struct shelf shelf, const struct cache_key *key,
              struct store_object *out);

#endif
