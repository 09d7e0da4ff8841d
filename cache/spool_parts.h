/*
 * spool_parts - the inside of a spool, shared by the files that it is made of:
 *
 * spool.c          its life, and the writer
 * spool_chunks.c   the bytes in memory
 * spool_drop.c     what leaves memory, and when the writer pauses
 * spool_room.c     memory for what comes next
 * spool_store.c    storing
 * spool_reader.c   readers
 * spool_slowest.c  how far they have come
 * spool_look.c     what can be asked
 */
#ifndef LARDER_CACHE_SPOOL_PARTS_H
#define LARDER_CACHE_SPOOL_PARTS_H

#include "cache/spool.h"

#include <pthread.h>

/*
 * Of a body of unknown length a chunk is as large as what has just come, or else doubles what is
 * there, over the first CHUNK bytes: so a small one costs little more than its bytes. Four full
 * chunks make up one STORE_CHUNK, so what goes to the store is always a row of whole chunks.
 *
 *   offset   0      4096   8192    16384     32768       65532          131064   …   262128
 *            | 4096 | 4096 |  8192  |  16384  |   32764   |    65532     |   …        |
 *            `-------------------------- one record of the store ---------------------'
 */
enum {
    CHUNK = STORE_CHUNK / 4,
    CHUNK_FIRST = 4096,
    CHUNK_SECOND = 16384,
    INLINE_BODY_MAX = 1 << 20, /* leaves room for the head in one record */
    INLINE_CHUNKS_MAX = INLINE_BODY_MAX / CHUNK + 6,
};

struct chunk {
    atomic_int refs;
    uint32_t cap;
    uint64_t start; /* offset of data[0] in the body */
    char data[];
};

/* A group of chunks in the store. Pinned, so that eviction never cuts off a reader. */
struct place {
    struct store_chunk chunk;
    struct store_pin *pin;
};

/*
 * Where the slowest reader is, as far as it matters: bytes leave memory by the chunk. To look for
 * it at each step of each reader would cost as much as the readers squared, so they are counted:
 *
 *   offset   0        from         mark
 *            | passed  | chunk      |
 *                        ^ ^^        ^  ^     five readers, of which `before` = 3 hold the chunk
 *
 * Only when none of them is before the mark any more they are looked through.
 */
struct slowest {
    uint32_t before;    /* readers before the mark; 0: they have to be looked through */
    uint32_t caught_up; /* readers that have all that has arrived, or begin behind it */
    uint64_t from, mark;
};

struct spool {
    /* What a hit in memory reads, in one or two lines of the processor's cache. */
    atomic_int refs;
    atomic_bool complete;
    bool keep;  /* kept in memory while it has at most keep_max bytes */
    bool spill; /* stored in groups although it is small: too large to be kept, or memory was tight
                 */
    uint64_t keep_max;
    uint64_t length; /* bytes that arrived; only the writer changes it */
    int64_t expected;
    struct chunk **chunks; /* chunks[dropped .. count) are in memory */
    size_t dropped, count, cap;
    struct chunk *first; /* the array `chunks`, while it has no more than one */

    pthread_mutex_t lock;
    struct chunk *tail; /* the writer's: the last chunk, while it has room */
    size_t in_memory;   /* sum of `cap` of the chunks in memory */
    size_t limit;
    size_t promised; /* the writer's: bytes reserved for what comes next */
    bool room_certain;
    bool length_untrusted;
    bool ended;
    bool had_reader;
    bool paused;
    bool committed;  /* complete, and stored or being committed */
    bool put_failed; /* storing failed; the writer gives `put` up */
    bool lacks_room; /* memory was too tight to keep it */
    bool outgrown;   /* longer than `most` */
    bool strained;   /* no room for more until queued groups are stored */
    int err;

    struct list readers;
    uint32_t reader_count;
    struct slowest slowest;
    struct waker writer;

    struct shelf shelf;
    struct store_put *put; /* the writer's: while the body is being stored */
    uint64_t most;         /* longer bodies are neither kept nor stored */
    struct place *places;  /* of each group n < stored */
    size_t places_cap;
    size_t queued, stored; /* groups given to the store; groups durable there */
};

/* ---- chunks: counted; spool_chunks.c ---- */

struct chunk *chunk_ref(struct chunk *chunk);
void chunk_unref(void *chunk); /* accepts NULL */
uint64_t chunk_end(const struct chunk *chunk);

/* Bytes from here on are in memory. Under the lock. */
static inline uint64_t spool_memory_begin(const struct spool *spool)
{
    return spool->dropped < spool->count ? spool->chunks[spool->dropped]->start : spool->length;
}

/* The chunk in memory that holds `offset`, which must have arrived; or NULL. Under the lock. */
struct chunk *spool_chunk_at(const struct spool *spool, uint64_t offset);
/* Adds the next chunk, with `coming` bytes to be put in. For the writer, without the lock. */
struct chunk *spool_add_chunk(struct spool *spool, size_t coming);

/* ---- under the lock; spool_look.c ---- */

/* Is it too large for one record of the store? */
bool spool_is_large(const struct spool *spool);
/* Is it in the store, or being stored? */
bool spool_is_storing(const struct spool *spool);
/* Is it small enough, and wanted, so that all of it stays in memory? */
bool spool_keeps(const struct spool *spool);

/* ---- under the lock; spool.c ---- */

void spool_wake(struct waker *waker);

/* ---- what leaves memory, under the lock; spool_drop.c ---- */

/* Drops chunks that nobody needs in memory; wakes the writer when there is room again. */
void spool_let_go(struct spool *spool);
/* Drops chunks that can be read back from the store. */
void spool_let_go_stored(struct spool *spool);
/* Does it hold all that it may hold, and will there be room again? */
bool spool_must_pause(const struct spool *spool);

/* ---- the slowest reader, under the lock; spool_slowest.c ---- */

/* An offset that all readers have passed; exact where a chunk ends. */
uint64_t spool_passed_by_all(struct spool *spool);
/* Is there anybody who does not have all that has arrived? */
bool spool_is_behind(const struct spool *spool);

/* To be told: a reader was put into the list, has moved on from the offset `before`, or was taken
 * out; more has arrived. */
void spool_reader_came(struct spool *spool, const struct spool_reader *reader);
void spool_reader_moved(struct spool *spool, const struct spool_reader *reader, uint64_t before);
void spool_reader_went(struct spool *spool, const struct spool_reader *reader);
void spool_lengthen(struct spool *spool, uint64_t bytes);

/* ---- for the writer, without the lock; spool_room.c ---- */

/* How large the next chunk should be, with `coming` bytes to be put in. Without room for what is to
 * stay, the body is only passed through from here on. */
size_t spool_next_size(struct spool *spool, size_t coming);
/* To be called after bytes have arrived: if there is no room for the next ones, pauses the origin
 * until the disk has caught up. */
void spool_look_ahead(struct spool *spool);
/* Gives back reserved bytes that are no longer needed. */
void spool_drop_promise(struct spool *spool);

/* ---- for the writer; spool_store.c ---- */

/* Gives complete groups to the store; at the end (`last`) also the rest. Without the lock. */
void spool_queue_groups(struct spool *spool, bool last);
/* Lends the bytes [from, to) to the store as pieces, one for each chunk; returns how many. Under
 * the lock. */
size_t spool_borrow(struct spool *spool, uint64_t from, uint64_t to, struct store_piece *pieces,
                    size_t max);

#endif
