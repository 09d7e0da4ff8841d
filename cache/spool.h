/*
 * spool - the body of a message as it arrives: appended once by one writer, read by many, each at
 * its own offset, in bounded memory. Thread-safe; counted.
 *
 * What is in memory is a row of chunks, offsets growing. Bytes leave memory
 *   - once every reader has passed them, when the spool only passes through, or
 *   - once they are in the store, when the body is being stored: readers that lag behind read them
 *     back from there.
 * A body small enough for one record stays in memory until its end, and afterwards as long as
 * somebody holds the spool: that is what a hot object is.
 *
 * When memory is tight (base/memory.h) less is held: room is promised for what is to stay, and
 * where there is none, the body only passes through from there on, in smaller steps.
 *
 * Back pressure: spool_append() takes everything it is given and answers SPOOL_PAUSE when more is
 * in memory than `limit`; the writer's waker says when to go on. Wakers are called from any thread
 * with a lock held: they must only post.
 */
#ifndef LARDER_CACHE_SPOOL_H
#define LARDER_CACHE_SPOOL_H

#include "base/list.h"
#include "cache/ahead.h"
#include "cache/store/stores.h"

#include <stdatomic.h>

struct spool;

enum spool_flow { SPOOL_MORE, SPOOL_PAUSE };

struct spool_options {
    int64_t expected;    /* length announced, or -1 */
    size_t limit;        /* bytes in memory above which the writer pauses */
    size_t promised;     /* bytes of memory_begin(), taken over: the first it will need */
    bool sure;           /* what it keeps was seen to fit: it stays, however tight memory is */
    bool wary;           /* what is announced takes no memory before it comes */
    struct waker writer; /* room again, the last reader left, or the store gave up */
};

struct spool *spool_new(const struct spool_options *options);
struct spool *spool_ref(struct spool *spool);
void spool_unref(struct spool **spool);

/* ---- the writer ---- */

/* A body of at most `max` bytes stays in memory to its end and after it. Before the first append.
 */
void spool_keep(struct spool *spool, uint64_t max);

/* The same for a small one, and the body is stored through `put`, which becomes the spool's. Before
 * the first append. */
void spool_store(struct spool *spool, struct shelf shelf, struct store_put *put);

/* With more than `most` bytes it is neither kept nor stored: as soon as they are there, what was
 * stored of it is given up. Before the first append. */
void spool_bound(struct spool *spool, uint64_t most);

enum spool_flow spool_append(struct spool *spool, struct span bytes);

/* No further bytes. err 0: the body is complete. Otherwise readers get `err` after what is there,
 * and what was stored of it is given up. Must be called once, by spool_end() or spool_commit(). */
void spool_end(struct spool *spool, int err);

/* spool_end(spool, 0), and the object goes to the store when spool_store() was called and nothing
 * failed since: done(arg, 0) after it is durable, done(arg, err) otherwise. Always one call, maybe
 * at once. */
void spool_commit(struct spool *spool, struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg);

/* The same for a body that broke off: what is there is good and goes to the store; readers get
 * `err` behind it. */
void spool_commit_broken(struct spool *spool, int err, struct span head, const void *meta,
                         size_t meta_len, void (*done)(void *arg, int err), void *arg);

/* It was begun to be stored, and has not ended. */
bool spool_has_put(const struct spool *spool);

/* It is to be stored under another key than spool_store() was told. Before its end. */
void spool_rename(struct spool *spool, const uint8_t hash[STORE_HASH], struct span key);

/* The waker is not called any more after this returned. */
void spool_writer_gone(struct spool *spool);

/* ---- anybody ---- */

size_t spool_readers(struct spool *spool);
/* Somebody will have its bytes though nobody reads them now: they go to the store, or are small and
 * stay in memory. */
bool spool_is_wanted(struct spool *spool);
/* It was to stay or to be stored, but there was no memory for it. */
bool spool_lacks_room(struct spool *spool);
/* It has become longer than spool_bound() allows. */
bool spool_is_outgrown(struct spool *spool);
/* Ended without an error. */
bool spool_is_complete(const struct spool *spool);
/* Complete, small, and all of it in memory for as long as the spool lives. */
bool spool_is_kept(const struct spool *spool);
/* What spool_whole() looks at is asked for (base/expect.h). */
void spool_expect(const struct spool *spool);
/* The same in one piece: a hot object's body. */
bool spool_whole(const struct spool *spool, struct span *body);
/* What passes through needs about so much memory, however tight that is. */
#define SPOOL_LEAST ((size_t)32 * 1024)

/* Bytes so far. */
uint64_t spool_length(struct spool *spool);
/* Bytes of memory held. */
size_t spool_memory(struct spool *spool);

/* ---- one reader; belongs to one thread ---- */

struct chunk;

struct spool_reader {
    struct spool *spool;
    struct list link;
    struct waker waker; /* bytes or the end arrived after spool_peek() said ERR_AGAIN */
    uint64_t offset;
    uint64_t end;        /* exclusive */
    struct chunk *chunk; /* holds the span lent from memory */
    struct ahead *ahead; /* holds the span from the store */
    struct span lent;    /* that, from lent_at on; empty: none */
    uint64_t lent_at;
    bool waiting;
};

/* Reads [from, to) (to UINT64_MAX: until the end). 0, or ERR_NOT_FOUND when bytes from `from` on
 * have left memory and are not in the store. */
int spool_reader_init(struct spool_reader *reader, struct spool *spool, uint64_t from, uint64_t to,
                      struct waker waker);
void spool_reader_fini(struct spool_reader *reader);

/* As in base/source.h. */
int spool_peek(struct spool_reader *reader, struct span *out);
bool spool_place(const struct spool_reader *reader, struct file_place *out);
void spool_advance(struct spool_reader *reader, size_t n);

#endif
