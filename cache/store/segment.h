/*
 * segment - one append-only environment. Databases: `h` (identity), `o` (object records), `b` (body
 * chunks) and `c` (for each chunk the key hash of its object), all under increasing numbers.
 * Nothing in it is changed or deleted; space is freed by dropping the file.
 *
 * Life: segment_create() or segment_adopt() in a free slot of the table → live: can be pinned →
 * segment_retire(): no new pins, the file is unlinked, pinned readers go on → segment_close() when
 * there are no pins → free slot. Pins, reads and segment_retire() are thread-safe; the rest is for
 * the writer's thread.
 */
#ifndef LARDER_CACHE_STORE_SEGMENT_H
#define LARDER_CACHE_STORE_SEGMENT_H

#include "cache/store/bitmap.h"
#include "cache/store/env.h"
#include "cache/store/ledger.h"
#include "cache/store/object.h"
#include "cache/store/s3fifo.h"
#include "cache/store/vouch.h"

#include <limits.h>
#include <pthread.h>

/* Identity, state and number of pins of a segment, in one word: id << 32 | LIVE | pins. 0: a free
 * slot. */
struct store_pin {
    _Atomic uint64_t state;
};

/* What all segments of a store share. Constant while it is open. */
struct segment_home {
    char *dir;
    uint8_t uuid[16];
};

/* What is known of the file, to notice other writers. */
struct segment_watch {
    _Atomic uint64_t looked_ms; /* when it was looked at last */
    _Atomic uint64_t stamp;     /* when it was modified last, in ns */
    _Atomic uint32_t turn;      /* odd while the writer writes */
};

struct segment {
    struct store_pin pin;
    uint32_t id;
    enum s3_log log;
    uint64_t capacity; /* most bytes of the file */
    int64_t created;   /* seconds since 1970 */
    const struct segment_home *home;

    pthread_mutex_t opening;
    _Atomic bool opened;       /* the file was opened, by the first use */
    _Atomic bool sealed;       /* nobody writes to it any more */
    char before_visitors[64];  /* padding: readers of an open segment write `visitors` */
    _Atomic uint32_t visitors; /* how many are in segment_enter() */
    char behind_visitors[64 - sizeof(uint32_t)];
    struct env env;
    MDB_dbi objects, chunks, owners;
    struct ledger ledger;
    struct bitmap verified_chunks; /* chunks whose checksum was verified in this run */
    struct bitmap bad_chunks;
    struct segment_watch watch;

    /* For the writer: */
    bool listed; /* the index has a committed record of it */
    bool writable;
    bool counted;     /* next_object and next_chunk are known */
    bool uses_loaded; /* the uses counted by earlier runs are in the ledger */
    uint64_t dead;    /* bytes of chunks of given-up puts, in this run */
    MDB_txn *txn;
    struct vouch vouch;                           /* for its pages, during the transaction */
    uint32_t next_object, next_chunk;             /* numbers begin with 1 */
    uint32_t committed_objects, committed_chunks; /* the same if the transaction is aborted */
    uint64_t base_pages, overflow_pages,
        leaf_bytes; /* of the open transaction: for estimating room */
};

/* What a segment is, apart from its file. */
struct segment_spec {
    uint32_t id;
    enum s3_log log;
    uint64_t capacity;
    int64_t created;
};

/* Makes the file in a free slot, or reuses an emptied spare file that is there already; makes the
 * first commit; then the slot is live. */
int segment_create(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec);
/* Puts the file of an earlier run into the slot and makes it live. The file is opened at its first
 * use; `writable`: segment_resume() may follow. */
void segment_adopt(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec, bool writable);
/* Checks the whole structure of an adopted file; needs a pin. 0: it can be written to. */
int segment_resume(struct segment *segment);
/* Determines how much is in a segment, also an adopted one, if its structure is intact. Returns 0,
 * ERR_CORRUPT, or an LMDB error. */
int segment_count(struct segment *segment);
/* Opens the file if it is not open. Returns 0, or ERR_CORRUPT if the file has another identity.
 * Thread-safe. */
int segment_ready(struct segment *segment);
/* The last commit was made: from now on it is read without transactions. For the writer. */
void segment_seal(struct segment *segment);
/* Frees the memory (some MiB) that LMDB keeps for writing a sealed segment, unless a transaction is
 * open. For the writer. */
void segment_shed(struct segment *segment);
/* True: this call has retired it. */
bool segment_retire(struct segment *segment);
void segment_path(const struct segment_home *home, uint32_t id, char path[PATH_MAX]);
/* Is this how segment_path() names the file of a segment, and of which one? */
bool segment_is_name(const char *name, uint32_t *id);
/* The same for its lock file. */
bool segment_is_lock_name(const char *name, uint32_t *id);
/* Unlinks the file; it can still be read where it is open. */
void segment_unlink(const struct segment_home *home, uint32_t id);
/* Closes a retired segment without pins, and frees the slot. At the end also live ones. */
void segment_close(struct segment *segment);

/* ---- pins ---- */

/* Pins `segment` if it has this id and is live or (with `retired`) still pinned. False: it is
 * not. */
bool segment_pin(struct segment *segment, uint32_t id, bool retired);
/* True: that was the last pin of a retired segment, which the writer should close. */
bool segment_unpin(struct segment *segment);
bool segment_is_live(const struct segment *segment, uint32_t id);
bool segment_is_pinned(const struct segment *segment);
/* Is it retired, without pins? */
bool segment_is_idle(const struct segment *segment);

/* Returns its id (0: a free slot), whether it is live, and its pins. Thread-safe. */
uint32_t segment_pins(const struct segment *segment, bool *live, uint32_t *pins);

static inline struct segment *segment_of_pin(struct store_pin *pin)
{
    return (struct segment *)(void *)pin; /* it is the first member */
}

/* ---- reading, with a pin ---- */

/* Before a read transaction. False: it is sealed, and must be walked without one. Otherwise call
 * segment_exit() afterwards. */
bool segment_enter(struct segment *segment);
void segment_exit(struct segment *segment);

/* Before something is read: has somebody else written to the file since? Then nothing in it counts
 * as verified any more. Looks once in a millisecond (`now_ms` of CLOCK_MONOTONIC). A checksum that
 * is being computed at that moment may still count. */
void segment_watch(struct segment *segment, uint64_t now_ms);
/* The place in the file of bytes that were lent from the mapping (lookup.h). */
struct file_place segment_place(const struct segment *segment, struct span lent);
/* The checksum of a chunk was verified, which is done once during a run, if nobody else writes. */
void segment_set_verified(struct segment *segment, uint32_t number);
bool segment_is_verified(const struct segment *segment, uint32_t number);
/* The chunk is missing or damaged. */
void segment_condemn_chunk(struct segment *segment, uint32_t number);
/* Has a reader found a wrong checksum there? */
bool segment_chunk_is_bad(const struct segment *segment, uint32_t number);

/* ---- writing ---- */

/* Is there room for `size` more bytes as one record or chunk? A cautious estimate. */
bool segment_has_room(const struct segment *segment, size_t size);
/* Would there be, in a new segment of `capacity`? */
bool segment_could_hold(uint64_t capacity, size_t size);

/* Begins a transaction unless there is one. ERR_FULL also if a root could not be written: LMDB
 * accepts nothing more. ERR_CORRUPT: the file is damaged where it would be continued. */
int segment_write_begin(struct segment *segment);
/* Reserves a value under the next number; the caller must fill *at before the next call. ERR_FULL
 * makes the transaction useless. */
int segment_add_object(struct segment *segment, size_t size, void **at, uint32_t *number);
/* `owner`: key hash of the object, as known so far. */
int segment_add_chunk(struct segment *segment, const uint8_t owner[STORE_HASH], size_t size,
                      void **at, uint32_t *number);
/* A record as the open transaction sees it. Valid until the next write. */
int segment_peek(struct segment *segment, uint32_t number, struct span *value);
/* Both end the transaction, if there is one. */
int segment_commit(struct segment *segment);
void segment_abort(struct segment *segment);

#endif
