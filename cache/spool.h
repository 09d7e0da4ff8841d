/*
 * spool - the body of a message while it arrives: appended by one writer, read by many readers,
 * each at its own offset, in bounded memory. Thread-safe; counted.
 *
 * Memory holds a row of chunks. Bytes leave memory
 *   - when every reader has passed them, if the spool only passes them through, or
 *   - when they are in the store, if the body is being stored: slower readers read them back.
 * A body that fits one record stays in memory until its end, and then as long as anybody holds the
 * spool: that is a hot object.
 *
 * When memory is tight (base/memory.h), less is held: what is to stay needs room reserved there,
 * and without room the rest of the body is only passed through, in smaller steps.
 *
 * Back pressure: spool_append() takes everything it is given, and returns SPOOL_PAUSE when more
 * than `limit` bytes are in memory; the writer's waker tells when to go on. Wakers are called from
 * any thread with a lock held: they may only post.
 */
#ifndef LARDER_CACHE_SPOOL_H
#define LARDER_CACHE_SPOOL_H

#include "base/list.h"
#include "cache/ahead.h"
#include "cache/store/stores.h"

#include <stdatomic.h>

struct spool;

enum spool_flow { SPOOL_MORE, SPOOL_PAUSE };

/* Memory that a body needs at least while passing through, however tight memory is. */
#define SPOOL_LEAST ((size_t)32 * 1024)

struct spool_options {
    int64_t expected; /* announced length, or -1 */
    size_t limit;     /* bytes in memory above which the writer is paused */
    size_t promised;  /* bytes reserved with memory_begin(), used first; taken over */
    /* There is room for all that it keeps, so it stays even if memory is tight. */
    bool room_certain;
    /* Memory is allocated only for what has arrived, whatever length was announced. */
    bool length_untrusted;
    struct waker writer; /* called when there is room again, when the last reader has left or none
                            will come any more, or when storing failed */
};

struct spool *spool_new(const struct spool_options *options);
struct spool *spool_ref(struct spool *spool);
void spool_unref(struct spool **spool);

/* ---- the writer ---- */

/* Keeps a body of at most `max` bytes in memory until its end and afterwards. Before the first
 * append. */
void spool_keep(struct spool *spool, uint64_t max);

/* The same, for no more than one record of the store has room for; and stores the body through
 * `put`, which is taken over: what is not kept leaves memory as soon as it is in the store. Before
 * the first append. */
void spool_store(struct spool *spool, struct shelf shelf, struct store_put *put, uint64_t max);

/* A body of more than `most` bytes is neither kept nor stored: storing is given up as soon as it
 * has more. Before the first append. */
void spool_bound(struct spool *spool, uint64_t most);

enum spool_flow spool_append(struct spool *spool, struct span bytes);

/* Ends the body. `err` 0: it is complete. Otherwise readers get `err` after what has arrived, and
 * storing is given up. A spool must be ended once, here or by spool_commit(). */
void spool_end(struct spool *spool, int err);

/* Ends a complete body, and commits the object to the store if spool_store() was called and nothing
 * failed since. done(arg, 0) is called when it is durable, else done(arg, err): always once, maybe
 * before this returns. */
void spool_commit(struct spool *spool, struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg);

/* The same for a body that broke off: what has arrived is stored; readers get `err` after it. */
void spool_commit_broken(struct spool *spool, int err, struct span head, const void *meta,
                         size_t meta_len, void (*done)(void *arg, int err), void *arg);

/* Is it being stored, and has not ended? */
bool spool_has_put(const struct spool *spool);

/* Changes the key under which it will be stored. Before its end. */
void spool_rename(struct spool *spool, const uint8_t hash[STORE_HASH], struct span key);

/* Was its writer told to pause, and not woken since? */
bool spool_is_paused(struct spool *spool);

/* Once this has returned the writer's waker is not called any more. */
void spool_writer_gone(struct spool *spool);

/* ---- anybody ---- */

size_t spool_readers(struct spool *spool);
/* Is it to stay, in the store or in memory, whether it has readers or not? */
bool spool_is_wanted(struct spool *spool);
/* Is it in the store, or being stored: can all of it be read again? */
bool spool_is_stored(struct spool *spool);
/* Was it to be kept or stored, but there was no memory for it? */
bool spool_lacks_room(struct spool *spool);
/* Is it longer than spool_bound() allows? */
bool spool_is_outgrown(struct spool *spool);
/* Has it ended without an error? */
bool spool_is_complete(const struct spool *spool);
/* Is it complete, and all in memory for as long as the spool lives? */
bool spool_is_kept(const struct spool *spool);
/* The same in one piece, as the body of a hot object. *body is set. */
bool spool_whole(const struct spool *spool, struct span *body);
/* Prefetches what spool_whole() will read (base/prefetch.h). */
void spool_prefetch(const struct spool *spool);

/* Somebody who was going to read it will not. Without readers, the writer is woken. */
void spool_note_unread(struct spool *spool);

/* Bytes that have arrived. */
uint64_t spool_length(struct spool *spool);
/* Bytes of memory in use. */
size_t spool_memory(struct spool *spool);

/* ---- one reader; belongs to one thread ---- */

struct chunk;

struct spool_reader {
    struct spool *spool;
    struct list link;
    struct waker waker; /* called after ERR_AGAIN, when bytes or the end have arrived */
    uint64_t offset;
    uint64_t end;        /* exclusive */
    struct chunk *chunk; /* holds the span that was lent from memory */
    struct ahead *ahead; /* holds the span that was lent from the store */
    struct span lent;    /* from the store, beginning at lent_at; empty: none */
    uint64_t lent_at;
    bool waiting;
};

/* Begins to read [from, to); `to` UINT64_MAX: to the end. Returns 0, or ERR_NOT_FOUND when bytes at
 * `from` have left memory and are not in the store. */
int spool_reader_init(struct spool_reader *reader, struct spool *spool, uint64_t from, uint64_t to,
                      struct waker waker);
void spool_reader_fini(struct spool_reader *reader);

/* As in base/source.h. */
int spool_peek(struct spool_reader *reader, struct span *out);
bool spool_place(const struct spool_reader *reader, struct file_place *out);
void spool_advance(struct spool_reader *reader, size_t n);

#endif
