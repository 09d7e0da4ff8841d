/*
 * ahead - reads bytes of the store for one reader that must not block. Bytes in memory are lent
 * from their mapped file; others are read from the disk, one step ahead of the reader, or two when
 * the reader is faster than the disk. Belongs to one loop.
 */
#ifndef LARDER_CACHE_AHEAD_H
#define LARDER_CACHE_AHEAD_H

#include "cache/store/store.h"
#include "cache/waker.h"

#include <stdatomic.h>

/* The chunk being sent, and two read ahead. */
#define AHEAD_CHUNKS 3

struct ahead_slot {
    struct store_waiter waiter;
    struct store *store;
    struct store_chunk chunk;
    struct span lent; /* bytes of a mapping instead of a chunk */
};

/* A chunk that was found in memory while the one before it is given. */
struct ahead_next {
    struct store_chunk chunk;
    struct store_pin *pin; /* NULL: there is none */
    struct span bytes;
};

struct ahead {
    struct waker waker;
    atomic_bool waiting; /* the reader waits for what was asked for */
    bool waited;         /* the reader was faster than the disk */
    bool behind;         /* the last read has not come so far */
    bool fresh;          /* the lent bytes were found in memory since the reader moved */
    bool copied;         /* the last bytes given are a copy, not in a file */
    struct store *store; /* that the pins belong to */
    struct store_pin *pin;
    struct ahead_next next;
    struct ahead_slot chunks[AHEAD_CHUNKS];
    struct ahead_slot lent;
};

/* Makes *ahead unless there is one. After ERR_AGAIN `waker` is called once, from any thread; it may
 * only post. */
void ahead_need(struct ahead **ahead, struct waker waker);
/* Accepts NULL; sets *ahead to NULL. */
void ahead_free(struct ahead **ahead);

/* Gives all bytes of chunks[0], valid until ahead_close() or the next call; the chunks after it are
 * read ahead. Returns 0, ERR_AGAIN, or an error of store_lend(). */
int ahead_chunk(struct ahead *ahead, struct store *store, const struct store_chunk *chunks,
                size_t count, struct span *out);
/* Gives the chunk back. Accepts NULL. */
void ahead_close(struct ahead *ahead);

/* Gives as much as is in memory of `rest`, which is lent under `pin`. (ahead_chunk() lends like
 * this when ahead->pin is set.) Never empty unless `rest` is. Returns 0, ERR_AGAIN, or an error of
 * the disk. */
int ahead_lent(struct ahead *ahead, struct store *store, struct store_pin *pin, struct span rest,
               struct span *out);
/* To be called when the reader has taken bytes: the rest may have left memory since. Accepts
 * NULL. */
static inline void ahead_moved(struct ahead *ahead)
{
    if (ahead) {
        ahead->fresh = false;
    }
}

#endif
