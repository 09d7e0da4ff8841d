/*
 * store - responses on disk: an LMDB index plus append-only LMDB segments. Knows keys, spans and
 * times; no HTTP, no sockets. Layout and reasons: docs/store.md.
 *
 * Threads: find, lend, unpin and all store_put_* calls are thread-safe. One writer thread does all
 * writing, in group commits with full sync. `done` callbacks run on that thread and may only post.
 * No read transaction outlives a call.
 *
 * Promises: what store_find() returns was completely written and committed, has the key asked for,
 * and its checksums are right. A failed commit loses its batch (each `done` gets the error), never
 * more.
 */
#ifndef LARDER_CACHE_STORE_H
#define LARDER_CACHE_STORE_H

#include "base/file_place.h"
#include "base/list.h"
#include "base/siphash.h"
#include "base/span.h"
#include "cache/store/s3fifo.h"

/* Head and body up to this size are one record, which a body of 1 MiB fits. */
#define STORE_INLINE_MAX ((1u << 20) + (96u << 10))
#define STORE_CHUNK 262128u /* larger bodies: chunks of this size, the last one shorter */
#define STORE_META_MAX 64   /* bytes of caller's data kept in the index record */
#define STORE_HASH 16
#define STORE_KEY_MAX (64u << 10) /* bytes of key text */

struct store;

struct store_trouble;

struct store_options {
    const char *path;     /* directory; created if it is missing */
    uint64_t size;        /* limit of bytes on disk; at least 16 MiB */
    uint64_t dirty_limit; /* queued bytes at which store_put_begin() returns ERR_BUSY */
    /* NULL: the store's own. A store that has hashed keys with another secret is emptied. */
    const struct sip_key *secret;
    /* Called with `arg` on the writer's thread, repeatedly, while something is wrong. May call
     * store_retire(). May be NULL. */
    void (*on_trouble)(void *arg, const struct store_trouble *trouble);
    void *arg;
    enum s3_favor favor; /* which objects are kept; 0: many small ones */
};

struct store_trouble {
    bool lost;        /* it is lost already: a page could not be read while it was written */
    unsigned commits; /* failed in a row */
    unsigned reads;   /* failed within a minute */
    int err;          /* of the last commit */
};

/* Gives the store up: nothing is found, and nothing is written any more; queued and new operations
 * get ERR_IO. What is lent can still be read. Only from on_trouble(). */
void store_retire(struct store *store);

/* Opens a store. Returns 0; ERR_BUSY: another process has the directory; or another error, which is
 * logged. Nothing is scanned for recovery: invalid records are deleted when they are met. */
int store_open(const struct store_options *options, struct store **out);
/* Commits what is queued, closes, frees. There may be no pins. Accepts NULL; sets *store to
 * NULL. */
void store_close(struct store **store);

/* The secret that keys are hashed with; random, and kept in the store. */
const struct sip_key *store_secret(const struct store *store);
/* Identity of the store: random at creation. */
void store_uuid(const struct store *store, uint8_t out[16]);

/* ---- reading ---- */

struct store_pin; /* keeps one segment file mapped; counted */

struct store_chunk {
    uint32_t segment, number, len;
    uint64_t sum;
};

struct store_object {
    struct store_pin *pin;    /* to be given back with store_object_done() */
    uint32_t segment, number; /* place of its record */
    uint8_t meta[STORE_META_MAX];
    size_t meta_len;
    struct span head; /* opaque to the store; valid while pinned */
    uint64_t body_len;
    struct span body;                 /* the whole body if it is inline; valid while pinned */
    const struct store_chunk *chunks; /* else its chunks in order; valid while pinned */
    size_t chunk_count;
    void *copy;              /* owned: values too small to be lent are copied here */
    struct store_read *read; /* counted; not NULL: everything is in its memory, not in a mapping */
};

/* Finds an object. Returns 0, ERR_NOT_FOUND, ERR_CORRUPT (the record is deleted), or an error of
 * the disk; treat all errors as not found. The whole `key` is compared. Until store_object_done()
 * everything of the object stays readable, including its chunks, even if it is evicted; its room is
 * not freed, so do not hold objects longer than needed. */
int store_find(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out);
void store_object_done(struct store *store, struct store_object *object);

/* Counts a use: used objects stay longer. */
void store_used(struct store *store, const struct store_object *object);
/* Counts `uses` that were answered from memory. Looks the hash up in the index, so do not call it
 * for each use. Does nothing if it is not found, or not in memory. */
void store_touch(struct store *store, const uint8_t hash[STORE_HASH], unsigned uses);

/* Lends the bytes of a chunk. Returns 0 and a pin to give back with store_unpin(); ERR_NOT_FOUND:
 * its segment was dropped; ERR_CORRUPT: the object is deleted when it is found next. A large body
 * is read by pinning its chunks one after the other. Chunks of a put in progress may be evicted. */
int store_lend(struct store *store, const struct store_chunk *chunk, struct store_pin **pin,
               struct span *out);
void store_unpin(struct store *store, struct store_pin *pin);

/* ---- reading without waiting, for event loops ---- */

/* A read from disk into memory, by a thread of the store. Counted. */
struct store_read;

/* A waiter for a read. Part of its owner; zeroed before the first use. */
struct store_waiter {
    struct list link;
    struct store_read *read;
    void (*wake)(void *arg); /* called once, from any thread, with a lock held; or NULL */
    void *arg;
};

/* Like store_find(), but touches only what is in memory, and returns ERR_AGAIN if that is not
 * enough. `read` may be NULL, or a store_read_object() of the same key: what it has read is used if
 * it is still current. ERR_AGAIN may be returned again; after some times the caller may treat it as
 * a miss. */
int store_find_now(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                   struct store_read *read, struct store_object *out);
/* Like store_lend(). ERR_AGAIN: not all of it is in memory. */
int store_lend_now(struct store *store, const struct store_chunk *chunk, struct store_pin **pin,
                   struct span *out);
/* Are lent bytes still in memory? A system call. */
bool store_is_resident(struct span lent);
/* The same, but what this thread has seen there a moment ago is believed (resident.h). */
bool store_is_resident_lately(struct span lent);

/* Begin a read, or join one in progress. The waiter must be given back with store_read_leave(), at
 * any time. Of an object: false, with nothing to give back, if the queue for the disk is too long,
 * unless `anyway`. */
bool store_read_object(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                       bool anyway, struct store_waiter *waiter);
/* The chunk's segment must be pinned while anybody waits. */
void store_read_chunk(struct store *store, const struct store_chunk *chunk,
                      struct store_waiter *waiter);
/* Reads lent bytes, at most STORE_CHUNK. */
void store_read_lent(struct store *store, struct store_pin *pin, struct span lent,
                     struct store_waiter *waiter);
/* Is it complete, or has it failed? Waiters are woken when it is. */
bool store_read_is_done(const struct store_read *read);
/* Is it a store_read_object() of this object? */
bool store_read_is_of(const struct store_read *read, const uint8_t hash[STORE_HASH],
                      struct span key);
/* Result of a complete read of a chunk or of lent bytes: 0 and the bytes, valid until the waiter is
 * given back; or ERR_CORRUPT, ERR_NOT_FOUND, or an error of the disk. */
int store_read_bytes(const struct store_read *read, struct span *out);
/* Does nothing for a waiter without a read. */
void store_read_leave(struct store_waiter *waiter);

/* Ends all reading: waiters, and new ones, get an error at once. Waits for reads in progress.
 * store_close() does this, too. */
void store_stop_reads(struct store *store);

/* Where bytes lent under this pin (a chunk, or an inline body) are in the segment's file. They stay
 * there while it is pinned; sockets may refer to its pages even longer. */
struct file_place store_place(struct store_pin *pin, struct span lent);

/* Can lent bytes be read now? Returns 0, or -EIO, and then deletes the record or chunk when it is
 * found next. To be called before they are read here, not only sent. */
int store_readable(struct store *store, struct span lent);

/* ---- writing ---- */

/* Bytes that the store borrows until it calls release(arg): on the writer's thread, exactly once,
 * also on errors. */
struct store_piece {
    struct span bytes;
    void (*release)(void *arg);
    void *arg;
};

struct store_put; /* one object being written */

/* Begins a put. ERR_BUSY: too much is queued. ERR_IO: commits have failed lately. ERR_TOO_LARGE:
 * the key is longer than 64 KiB. Then serve without storing. Later, through `done`: ERR_FULL for an
 * object larger than half of the store, or one whose first chunks were evicted before its end. */
int store_put_begin(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                    struct store_put **out);

/* The same up to twice the dirty limit, for callers that have waited while store_is_behind(), or
 * that put little that others need. */
int store_put_begin_anyway(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                           struct store_put **out);
/* Is so much queued that further puts should wait? */
bool store_is_behind(const struct store *store);

/* Puts the next STORE_CHUNK bytes of a large body (fewer only in the last chunk), as `count`
 * pieces. done(arg, err, chunk): if err is 0, it is committed, and can be read with
 * store_lend(). */
void store_put_chunk(struct store_put *put, const struct store_piece *pieces, size_t count,
                     void (*done)(void *arg, int err, const struct store_chunk *chunk), void *arg);

/* Ends the object; `head` and `meta` are copied. `pieces` are the whole body if no chunk was put,
 * else none. Replaces what was stored under the hash; if it fails, the older one is deleted. `done`
 * may be NULL. */
void store_put_finish(struct store_put *put, struct span head, const void *meta, size_t meta_len,
                      uint64_t body_len, const struct store_piece *pieces, size_t count,
                      void (*done)(void *arg, int err), void *arg);
void store_put_abort(struct store_put *put);
/* To be called before the first chunk if the length is unknown. All such puts together may use a
 * quarter of the store while they are in progress; beyond that they fail with ERR_FULL. */
void store_put_unmeasured(struct store_put *put);
/* The object will not be stored: deletes the older one under its key. */
void store_put_fail(struct store_put *put);
/* Changes the key, before the end. */
void store_put_rename(struct store_put *put, const uint8_t hash[STORE_HASH], struct span key);

/* After a 304: replaces meta and head of the stored object; the body stays. Errors come through
 * `done`. If it cannot be written, the object is deleted, since its head is outdated. */
void store_update(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                  struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg);

/* Deletes the record. It is hidden at once; `done` is called when that is durable. Without `done`
 * it does nothing for a key that has no record, and none being written. */
void store_drop(struct store *store, const uint8_t hash[STORE_HASH],
                void (*done)(void *arg, int err), void *arg);

/* Lets the writer commit at once instead of filling the batch, because somebody waits for
 * memory. */
void store_hurry(struct store *store);

/* Waits until everything queued before is committed. Not for event loops. */
void store_flush(struct store *store);

/* Returns 0, or ERR_IO for a while after failed commits, when nothing new is accepted. */
int store_health(const struct store *store);

struct store_stats {
    uint64_t size, used, objects, segments, dirty; /* gauges */
    uint64_t deletions; /* gauge: records that were dropped, which is not written yet */
    uint64_t written_bytes, written_objects, commits, commit_errors, evicted_segments, corrupt;
    uint64_t kept_objects, kept_bytes; /* copied when their segment was dropped */
    uint64_t recycled_segments;        /* segments made from the file of a dropped one */
    uint64_t stored_finds, missed_finds;
    uint64_t reads_waiting; /* gauge: reads that wait for the disk */
    uint64_t reads, read_bytes, read_errors, reads_shared, reads_refused;
    uint64_t read_us;    /* total time from request to completion */
    uint64_t unreadable; /* pages or ranges that the disk could not deliver */
};
void store_stats(struct store *store, struct store_stats *out);

#endif
