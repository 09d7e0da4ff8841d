/*
 * spool_parts - the inside of a spool, for the files it is made of: spool.c (its life, the writer),
 * spool_store.c (to the store), spool_reader.c (readers).
 */
#ifndef LARDER_CACHE_SPOOL_PARTS_H
#define LARDER_CACHE_SPOOL_PARTS_H

#include "cache/spool.h"

#include <pthread.h>

/*
 * Chunks grow over the first CHUNK bytes so that a small body of unknown length costs little; four
 * full ones make up one STORE_CHUNK, so what goes to the store is always a row of whole chunks.
 *
 *   offset   0      4096        20480                65532          131064   …   262128
 *            | 4096 |   16384   |       45052        |    65532     |   …        |
 *            `---------------------- one record of the store --------------------'
 */
enum {
    CHUNK = STORE_CHUNK / 4,
    CHUNK_FIRST = 4096,
    CHUNK_SECOND = 16384,
    INLINE_BODY_MAX = 1 << 20, /* leaves room for the head in one record */
    INLINE_CHUNKS_MAX = INLINE_BODY_MAX / CHUNK + 4,
};

struct chunk {
    atomic_int refs;
    uint32_t cap;
    uint64_t start; /* offset of data[0] in the body */
    char data[];
};

/* A group in the store. Pinned: whoever reads the spool is never cut off by an eviction. */
struct place {
    struct store_chunk chunk;
    struct store_pin *pin;
};

struct spool {
    /* All that a hit in memory looks at, in one line of the processor's cache or two. */
    atomic_int refs;
    atomic_bool complete;
    bool keep;  /* stays in memory while it has at most keep_max bytes */
    bool spill; /* goes to the store in groups though it is small: memory was tight */
    uint64_t keep_max;
    uint64_t length; /* bytes published; only the writer changes it */
    int64_t expected;
    struct chunk **chunks; /* chunks[dropped .. count) are in memory */
    size_t dropped, count, cap;
    struct chunk *first; /* the row, while it is no longer than this */

    pthread_mutex_t lock;
    struct chunk *tail; /* the writer's: the last chunk while it has room */
    size_t in_memory;   /* sum of the caps of chunks in memory */
    size_t limit;
    size_t promised; /* the writer's: bytes of room kept for what comes next */
    bool sure;
    bool wary;
    bool ended;
    int err;

    struct list readers;
    size_t reader_count;
    bool had_reader;
    bool paused;
    struct waker writer;

    struct shelf shelf;
    struct store_put *put; /* the writer's: while the body is being stored */
    bool committed;        /* complete, the store has it or is about to */
    bool put_failed;       /* the store has said so; the writer gives `put` up */
    bool lacks_room;       /* so have we: memory is tight */
    uint64_t most;         /* longer ones are not kept */
    bool outgrown;         /* it is one */
    bool strained;         /* no room for more until what is queued is stored */
    struct place *places;  /* where group n is, for n < stored */
    size_t places_cap;
    size_t queued, stored; /* groups handed to the store / durable there */
};

/* ---- chunks: counted; spool.c ---- */

struct chunk *chunk_ref(struct chunk *chunk);
void chunk_unref(void *chunk); /* accepts NULL */
uint64_t chunk_end(const struct chunk *chunk);

/* The chunk in memory that holds `offset` (which must be published), or NULL. Under the lock. */
struct chunk *spool_chunk_at(const struct spool *spool, uint64_t offset);

/* ---- under the lock; spool.c ---- */

/* Too large for one record of the store. */
bool spool_is_large(const struct spool *spool);
/* It is in the store, or still on its way there. */
bool spool_is_storing(const struct spool *spool);
/* Drops what nobody needs in memory any more; wakes the writer when there is room again. */
void spool_let_go(struct spool *spool);
/* Drops what can be read back from the store. */
void spool_let_go_stored(struct spool *spool);
void spool_wake(struct waker *waker);

/* Small enough, and wanted: all of it stays in memory. */
bool spool_keeps(const struct spool *spool);

/* ---- the writer's, spool_room.c. Without the lock ---- */

/* How large the next chunk should be. When there is no room for what is to stay, it only passes
 * through from here on. */
size_t spool_next_size(struct spool *spool);
/* After bytes came: is there room for the next ones? Else the origin waits for the disk. */
void spool_look_ahead(struct spool *spool);
/* Gives back what was promised and is not needed any more. */
void spool_drop_promise(struct spool *spool);

/* ---- the writer's, spool_store.c ---- */

/* Hands whole groups to the store, at the end (`last`) the rest too. Without the lock. */
void spool_queue_groups(struct spool *spool, bool last);
/* Borrows the bytes [from, to) of the row for the store; returns the number of pieces. Under the
 * lock. */
size_t spool_borrow(struct spool *spool, uint64_t from, uint64_t to, struct store_piece *pieces,
                    size_t max);

#endif
