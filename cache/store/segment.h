/*
 * segment - one append-only environment: databases `h` (whose file this is), `o` (object records),
 * `b` (body chunks) and `c` (the key hash of the object each chunk is a part of), all under
 * increasing numbers. Nothing in it is ever changed or deleted; space is won back by dropping the
 * file.
 *
 * Life: segment_create() or segment_adopt() in a free slot of the table → live: anybody may pin →
 * segment_retire(): no new pins, the file loses its name, who pinned it still reads →
 * segment_close() once nobody does → free slot again.
 *
 * Pins, reads and segment_retire() are thread-safe; the rest is the writer's thread only.
 */
#ifndef LARDER_CACHE_STORE_SEGMENT_H
#define LARDER_CACHE_STORE_SEGMENT_H

#include "cache/store/bitmap.h"
#include "cache/store/env.h"
#include "cache/store/ledger.h"
#include "cache/store/object.h"
#include "cache/store/s3fifo.h"

#include <limits.h>
#include <pthread.h>

/* Whose segment, whether it may still be pinned, and by how many, in one word:
 * id << 32 | LIVE | pins. 0 is a free slot. */
struct store_pin {
    _Atomic uint64_t state;
};

/* What all segments of a store share. Constant while it is open. */
struct segment_home {
    char *dir;
    uint8_t uuid[16];
};

struct segment {
    struct store_pin pin;
    uint32_t id;
    enum s3_log log;
    uint64_t capacity; /* the file never gets larger */
    int64_t created;   /* seconds since 1970 */
    const struct segment_home *home;

    pthread_mutex_t opening;
    _Atomic bool opened;       /* the first use opens the file */
    _Atomic bool sealed;       /* nobody writes to it any more */
    char before_visitors[64];  /* a line of their own: readers of an open segment write them */
    _Atomic uint32_t visitors; /* who entered it */
    char behind_visitors[64 - sizeof(uint32_t)];
    struct env env;
    MDB_dbi objects, chunks, owners;
    struct ledger ledger;
    struct bitmap verified_chunks; /* checksum held once in this process life */
    struct bitmap bad_chunks;

    /* The writer's. */
    bool listed; /* the index has a committed record of it */
    bool writable;
    bool counted;     /* next_object and next_chunk are right */
    bool uses_loaded; /* what earlier runs know of them is in the ledger */
    uint64_t dead;    /* bytes of chunks whose object never came to its end; in this run */
    MDB_txn *txn;
    uint32_t next_object, next_chunk;                /* numbers start at 1 */
    uint32_t committed_objects, committed_chunks;    /* the next ones if the transaction fails */
    uint64_t base_pages, overflow_pages, leaf_bytes; /* of the open transaction: room account */
};

/* What a segment is, before it has a file. */
struct segment_spec {
    uint32_t id;
    enum s3_log log;
    uint64_t capacity;
    int64_t created;
};

/* Makes the file, or uses the one that is there (a spare, empty again), and its first commit, in a
 * slot that is free; then makes the slot live. */
int segment_create(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec);
/* Takes the slot for a file of an earlier run and makes it live. The file is looked at on first
 * use; `writable` says whether segment_resume() may follow. */
void segment_adopt(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec, bool writable);
/* Looks at all of an adopted file's structure, with a pin. 0: segment_write_* may follow. */
int segment_resume(struct segment *segment);
/* Finds out how much is in a segment, an adopted one included, if its structure is whole. 0,
 * ERR_CORRUPT, or a code of LMDB. */
int segment_count(struct segment *segment);
/* Opens the file unless it is. 0, ERR_CORRUPT when it is not the file of this id. Thread-safe. */
int segment_ready(struct segment *segment);
/* The last commit is done: from now on it is read without a transaction. The writer's. */
void segment_seal(struct segment *segment);
/* What LMDB holds for the writer of a sealed segment, some MiB, is given back, unless somebody is
 * in a transaction: then another time. The writer's. */
void segment_shed(struct segment *segment);
/* True when this call ended its life. */
bool segment_retire(struct segment *segment);
void segment_path(const struct segment_home *home, uint32_t id, char path[PATH_MAX]);
/* Unlinks the file; it stays readable to who has it open. */
void segment_unlink(const struct segment_home *home, uint32_t id);
/* Closes a retired segment that nobody pins, and frees the slot. Open ones too, at the end. */
void segment_close(struct segment *segment);

/* ---- pins ---- */

/* True when `segment` is the one with this id, and is live or (with `retired`) still pinned. */
bool segment_pin(struct segment *segment, uint32_t id, bool retired);
/* True when the last pin of a retired segment went: the writer should close it. */
bool segment_unpin(struct segment *segment);
bool segment_is_live(const struct segment *segment, uint32_t id);
bool segment_is_pinned(const struct segment *segment);
/* Retired and pinned by nobody. */
bool segment_is_idle(const struct segment *segment);

/* Whose slot it is (0: free), whether it is live, and how many pin it. Any thread. */
uint32_t segment_pins(const struct segment *segment, bool *live, uint32_t *pins);

static inline struct segment *segment_of_pin(struct store_pin *pin)
{
    return (struct segment *)(void *)pin; /* its first member */
}

/* ---- reading, with a pin ---- */

/* For who is to begin a transaction. False: it is sealed, and to be walked without. Otherwise
 * segment_exit() follows. */
bool segment_enter(struct segment *segment);
void segment_exit(struct segment *segment);

/* Where bytes that were lent out of the mapping (lookup.h) lie in the file. */
struct file_place segment_place(const struct segment *segment, struct span lent);
/* The checksum of a chunk held: it is looked at once in a process life. */
void segment_set_verified(struct segment *segment, uint32_t number);
bool segment_is_verified(const struct segment *segment, uint32_t number);
/* It is not there, or not as it was written. */
void segment_condemn_chunk(struct segment *segment, uint32_t number);
/* A reader met a wrong checksum there before. */
bool segment_chunk_is_bad(const struct segment *segment, uint32_t number);

/* ---- writing ---- */

/* Room for `size` more bytes as one record or chunk, by a careful estimate. */
bool segment_has_room(const struct segment *segment, size_t size);
/* Room in a new segment of `capacity`. */
bool segment_could_hold(uint64_t capacity, size_t size);

/* Harmless when begun. ERR_FULL also when a root could not be written: LMDB takes nothing more. */
int segment_write_begin(struct segment *segment);
/* Reserves the value under the next number; *at must be filled before the next call. ERR_FULL
 * spoils the transaction. */
int segment_add_object(struct segment *segment, size_t size, void **at, uint32_t *number);
/* `owner`: the key hash of the object, as far as it is known by now. */
int segment_add_chunk(struct segment *segment, const uint8_t owner[STORE_HASH], size_t size,
                      void **at, uint32_t *number);
/* A record as the open transaction sees it. Valid until the next write. */
int segment_peek(struct segment *segment, uint32_t number, struct span *value);
/* Both end the transaction; harmless without one. */
int segment_commit(struct segment *segment);
void segment_abort(struct segment *segment);

#endif
