/*
 * store - responses on disk: an LMDB index environment plus append-only LMDB segment environments.
 *
 * The only code that sees LMDB. Knows keys, spans and times; no HTTP, no sockets. Layout and
 * reasons: docs/store.md.
 *
 * Threads: find, lend, unpin and all store_put_* calls come from any thread; all writing is done
 * by one writer thread, in group commits with full sync. `done` callbacks run on that thread and
 * must only post. No read transaction outlives a call.
 *
 * Promises: what store_find() returns was completely written and committed, has the key asked for,
 * and its checksums held. A failed commit loses the batch (each done gets the error), never more.
 */
#ifndef LARDER_CACHE_STORE_H
#define LARDER_CACHE_STORE_H

#include "base/file_place.h"
#include "base/list.h"
#include "base/siphash.h"
#include "base/span.h"
#include "cache/store/s3fifo.h"

/* Head and body up to here: one record, so that a body of 1 MiB is. */
#define STORE_INLINE_MAX ((1u << 20) + (96u << 10))
#define STORE_CHUNK 262128u /* larger bodies: chunks of this size, the last one shorter */
#define STORE_META_MAX 64   /* bytes of caller's data kept in the index record */
#define STORE_HASH 16
#define STORE_KEY_MAX (64u << 10) /* bytes of key text */

struct store;

struct store_trouble;

struct store_options {
    const char *path;     /* directory, created when missing */
    uint64_t size;        /* bytes on disk to stay under; ≥ 16 MiB */
    uint64_t dirty_limit; /* bytes queued for writing; above it store_put_begin() says ERR_BUSY */
    /* NULL: its own. A store that hashes keys with another secret begins anew. */
    const struct sip_key *secret;
    /* Called with `arg` on the writer's thread, again and again, while something is wrong: it may
     * answer with store_retire(). NULL: nobody asks. */
    void (*on_trouble)(void *arg, const struct store_trouble *trouble);
    void *arg;
    enum s3_favor favor; /* what is kept: 0 is many objects */
};

struct store_trouble {
    bool lost;        /* it is given up already: a page could not be read while it was written */
    unsigned commits; /* that failed in a row */
    unsigned reads;   /* that failed within a minute */
    int err;          /* of the last commit */
};

/* Nothing is looked for there any more, and nothing is written: what is queued, or comes, is told
 * ERR_IO. What is lent can be read on. From on_trouble() only. */
void store_retire(struct store *store);

/* 0; ERR_BUSY when another process has the directory; or another negative code, with a line in the
 * log. Recovery: takes no scan, drops what is not valid when it meets it. */
int store_open(const struct store_options *options, struct store **out);
/* Commits what is queued, closes, frees. Every pin must have been given back. Accepts NULL. */
void store_close(struct store **store);

/* The secret under which keys are hashed; kept in the store, random at creation. */
const struct sip_key *store_secret(const struct store *store);
/* Which store it is: random at creation. */
void store_uuid(const struct store *store, uint8_t out[16]);

/* ---- reading ---- */

struct store_pin; /* keeps one segment file mapped; counted */

struct store_chunk {
    uint32_t segment, number, len;
    uint64_t sum;
};

struct store_object {
    struct store_pin *pin;    /* give back with store_object_done() */
    uint32_t segment, number; /* where its record is */
    uint8_t meta[STORE_META_MAX];
    size_t meta_len;
    struct span head; /* opaque to the store; valid while pinned */
    uint64_t body_len;
    struct span body;                 /* the whole body when stored inline; valid while pinned */
    const struct store_chunk *chunks; /* else its chunks in order; valid while pinned */
    size_t chunk_count;
    void *copy;              /* owned: values too small to be lent are copied here */
    struct store_read *read; /* counted: all of it lies there, not in a mapping */
};

/* 0, ERR_NOT_FOUND, ERR_CORRUPT (the record is dropped), or another code of a disk that cannot be
 * read; treat all of them as not found. `key` is compared in full with the stored key text. Until
 * store_object_done() all of the object stays readable, its chunks included, whatever is evicted;
 * the room it takes counts, so do not hold objects for nothing. */
int store_find(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out);
void store_object_done(struct store *store, struct store_object *object);

/* It was used: what is used stays longer. */
void store_used(struct store *store, const struct store_object *object);
/* The same for who has answered from memory, so often, with what is stored under the hash. Looks it
 * up in the index, so not for every use by itself. Nothing without it, or when that is not in
 * memory. */
void store_touch(struct store *store, const uint8_t hash[STORE_HASH], unsigned uses);

/* Lends the bytes of one chunk. 0 and a pin to give back with store_unpin(), ERR_NOT_FOUND when its
 * segment was dropped, ERR_CORRUPT (the object is dropped when it is found next). Pinning the
 * chunks of an object one after the other is how a large body is read; chunks of a put that has not
 * ended are held by nobody. */
int store_lend(struct store *store, const struct store_chunk *chunk, struct store_pin **pin,
               struct span *out);
void store_unpin(struct store *store, struct store_pin *pin);

/* ---- reading, for who must not wait: event loops ---- */

/* What is, or is to be, read from the disk into memory by a thread of the store's own. Counted. */
struct store_read;

/* Somebody who waits for it. Lives in its owner; zeroed before the first use. */
struct store_waiter {
    struct list link;
    struct store_read *read;
    void (*wake)(void *arg); /* once, from any thread, with a lock held; or NULL */
    void *arg;
};

/* As store_find(), but nothing is touched that is not in memory: ERR_AGAIN when something is not.
 * `read` may be NULL, or a store_read_object() of the same key: what it brought is used, if it is
 * still what is stored. ERR_AGAIN may then come again; a caller that has seen it some times may
 * call it a miss. */
int store_find_now(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                   struct store_read *read, struct store_object *out);
/* As store_lend(); ERR_AGAIN when not all of it is in memory. */
int store_lend_now(struct store *store, const struct store_chunk *chunk, struct store_pin **pin,
                   struct span *out);
/* Bytes lent before are in memory still. A system call. */
bool store_is_resident(struct span lent);

/* Begin to read, or wait together with who has begun. The waiter must be given back with
 * store_read_leave(), at any time. Of an object: false, and nothing to give back, when so many wait
 * for the disk already that it would take too long; not when it must be had `anyway`. */
bool store_read_object(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                       bool anyway, struct store_waiter *waiter);
/* The chunk's segment must stay pinned while anybody waits. */
void store_read_chunk(struct store *store, const struct store_chunk *chunk,
                      struct store_waiter *waiter);
/* Bytes that are lent: as they are by now. At most STORE_CHUNK. */
void store_read_lent(struct store *store, struct store_pin *pin, struct span lent,
                     struct store_waiter *waiter);
/* It is there, or has failed; a waiter is woken when that changes. */
bool store_read_is_done(const struct store_read *read);
/* It is store_read_object() of this. */
bool store_read_is_of(const struct store_read *read, const uint8_t hash[STORE_HASH],
                      struct span key);
/* Of a chunk or of what is lent: 0 and its bytes, valid as long as the waiter is not given back;
 * or ERR_CORRUPT, ERR_NOT_FOUND, or the code of the disk. When it is done. */
int store_read_bytes(const struct store_read *read, struct span *out);
/* Harmless on a waiter without a read. */
void store_read_leave(struct store_waiter *waiter);

/* No more is read: who waits is told, and who asks from now on at once. Waits for the reads under
 * way. store_close() does it, too. */
void store_stop_reads(struct store *store);

/* Where bytes lent under this pin (of a chunk, or an object's inline body) lie in the segment's
 * file. They are there as long as it is pinned; sockets may refer to its pages even longer. */
struct file_place store_place(struct store_pin *pin, struct span lent);

/* 0 when bytes that are lent can be read now, or -EIO; then the record or chunk is dropped when it
 * is found next. Before they are looked at here, and not only sent. */
int store_readable(struct store *store, struct span lent);

/* ---- writing ---- */

/* Bytes the store borrows until release(arg) is called (on the writer thread, exactly once, also
 * when the put fails or is aborted). */
struct store_piece {
    struct span bytes;
    void (*release)(void *arg);
    void *arg;
};

struct store_put; /* one object being written */

/* ERR_BUSY above the dirty limit, ERR_IO for a time after commits have failed, ERR_TOO_LARGE for a
 * key above 64 KiB: serve without storing. Later, through done: ERR_FULL for an object above half
 * of the store, or one whose first chunks were evicted before its end. */
int store_put_begin(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                    struct store_put **out);

/* The same for who has waited while store_is_behind(), or puts little that others need: up to twice
 * the dirty limit. */
int store_put_begin_anyway(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                           struct store_put **out);
/* So much is queued for writing that more should rather come later. */
bool store_is_behind(const struct store *store);

/* The next STORE_CHUNK bytes of a large body (fewer only in the last chunk), in `count` pieces.
 * done(arg, err, chunk): committed, and readable through store_lend(), when err is 0. */
void store_put_chunk(struct store_put *put, const struct store_piece *pieces, size_t count,
                     void (*done)(void *arg, int err, const struct store_chunk *chunk), void *arg);

/* Ends the object: `head` and `meta` are copied. `pieces` are the whole body when no chunk was put,
 * and empty otherwise. Replaces what was stored under the hash before; if it fails, that is
 * dropped, for it is older. done may be NULL. */
void store_put_finish(struct store_put *put, struct span head, const void *meta, size_t meta_len,
                      uint64_t body_len, const struct store_piece *pieces, size_t count,
                      void (*done)(void *arg, int err), void *arg);
void store_put_abort(struct store_put *put);
/* Before its first chunk: nobody knows how long it will be. All of these together may have a
 * quarter of the store while they are under way; who wants more then fails with ERR_FULL. */
void store_put_unmeasured(struct store_put *put);
/* It will not be stored, and what is stored under its key is older: that is dropped. */
void store_put_fail(struct store_put *put);
/* Before its end: it is to be stored under another key. */
void store_put_rename(struct store_put *put, const uint8_t hash[STORE_HASH], struct span key);

/* A 304: new meta and new head for the stored object, its body stays. ERR_… come through done. If
 * they cannot be written, the object is dropped, for those it has are older. */
void store_update(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                  struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg);

/* Removes the record: hidden at once, done after it is durable. Without `done`, of a key with
 * neither a record nor one on its way, it costs nothing. */
void store_drop(struct store *store, const uint8_t hash[STORE_HASH],
                void (*done)(void *arg, int err), void *arg);

/* What is queued is written now and not when the batch is full: somebody waits for its memory. */
void store_hurry(struct store *store);

/* Waits until everything queued before is committed. Not for event loops. */
void store_flush(struct store *store);

/* 0, or ERR_IO for a time after commits have failed: nothing new is taken then. */
int store_health(const struct store *store);

struct store_stats {
    uint64_t size, used, objects, segments, dirty; /* gauges */
    uint64_t written_bytes, written_objects, commits, commit_errors, evicted_segments, corrupt;
    uint64_t kept_objects, kept_bytes; /* copied when their segment was given up */
    uint64_t recycled_segments;        /* made of the file of one that was */
    uint64_t stored_finds, missed_finds;
    uint64_t reads_waiting; /* a gauge: what waits for the disk */
    uint64_t reads, read_bytes, read_errors, reads_shared, reads_refused;
    uint64_t read_us;    /* from asking until it is there, all of them together */
    uint64_t unreadable; /* pages or ranges that the disk did not give */
};
void store_stats(struct store *store, struct store_stats *out);

#endif
