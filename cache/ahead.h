/*
 * ahead - what lies in the store, for one reader who must not wait: bytes in memory are lent as
 * they lie in their file, others are read from the disk, one step ahead of the reader, or two when
 * it is faster than the disk. Belongs to one loop.
 */
#ifndef LARDER_CACHE_AHEAD_H
#define LARDER_CACHE_AHEAD_H

#include "cache/store/store.h"
#include "cache/waker.h"

#include <stdatomic.h>

/* The chunk being sent, and two steps. */
#define AHEAD_CHUNKS 3

struct ahead_slot {
    struct store_waiter waiter;
    struct store *store;
    struct store_chunk chunk;
    struct span lent; /* not a chunk, but these bytes again */
};

struct ahead {
    struct waker waker;
    atomic_bool waiting; /* the reader, for what is asked for */
    bool waited;         /* it is faster than the disk */
    bool behind;         /* what was asked for last is not there yet */
    bool fresh;          /* what is lent was looked at just now */
    bool copied;         /* what was given last does not lie in a file */
    struct store *store; /* of the pin */
    struct store_pin *pin;
    struct ahead_slot chunks[AHEAD_CHUNKS];
    struct ahead_slot lent;
};

/* Makes one unless there is one. `waker` is called once after ERR_AGAIN, from any thread; it must
 * only post. */
void ahead_need(struct ahead **ahead, struct waker waker);
/* Accepts NULL, and sets it. */
void ahead_free(struct ahead **ahead);

/* All of chunks[0], valid until ahead_close() or the next call; the next ones are what comes after
 * it. 0, ERR_AGAIN, or the codes of store_lend(). */
int ahead_chunk(struct ahead *ahead, struct store *store, const struct store_chunk *chunks,
                size_t count, struct span *out);
/* The chunk is done with. Accepts NULL. */
void ahead_close(struct ahead *ahead);

/* As much as can be given now of `rest`, which is lent under `pin` (ahead_chunk() lends so, too,
 * when ahead->pin is set). ERR_AGAIN, or a code of the disk. Not empty unless `rest` is. */
int ahead_lent(struct ahead *ahead, struct store *store, struct store_pin *pin, struct span rest,
               struct span *out);
/* The reader has taken some of it: the rest may have left memory since. Accepts NULL. */
static inline void ahead_moved(struct ahead *ahead)
{
    if (ahead) {
        ahead->fresh = false;
    }
}

#endif
