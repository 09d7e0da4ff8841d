/*
 * index - the index environment: `meta` (whose store this is), `seg` (which segments exist), `obj`
 * (key hash → location) and `uses` (segment and block → a byte for each of its objects). Records
 * are replaced in place; those that point to a dropped segment are misses and are swept a few at
 * each commit.
 *
 * What is under a key: lookup.h. Else the writer's, inside one write transaction.
 *
 * index.c has the file and `meta`, index_records.c has `obj`, index_segments.c `seg` and `uses`.
 */
#ifndef LARDER_CACHE_STORE_INDEX_H
#define LARDER_CACHE_STORE_INDEX_H

#include "cache/store/env.h"
#include "cache/store/object.h"
#include "cache/store/s3fifo.h"

#include <stdatomic.h>

struct index {
    struct env env;
    MDB_dbi meta, segments, objects, uses;
    MDB_txn *txn; /* the writer's */
    /* By LMDB, for good: a root could not be written. Nothing is written to the file until it is
     * opened again, so that it can be read without a transaction. */
    atomic_bool given_up;
    uint8_t uuid[16];
    struct sip_key secret;
    /* The environment of the same file that this one replaced. Who took it up just before is still
     * in it, without a transaction or in one that this one does not see, while this one is written
     * to. Nobody begins another lookup there, and LMDB uses a page of the commit it is at again in
     * the third one after it: a lookup is over long before. One that sleeps so long may miss, or
     * find what was right when it began: a location has a checksum over its key's hash, and the
     * record it leads to has the key. */
    struct index *older;
    uint32_t next_id;               /* no segment had an id from here on */
    uint8_t sweep_from[STORE_HASH]; /* where the next sweep goes on */
};

/* Opens `dir`/index.mdb, or creates it, as the heir of another index (its uuid and secret) or, with
 * NULL, a new one. Nothing is written to a file that exists. `size` of the store bounds it.
 * ERR_CORRUPT when the file is none of ours or broken; index_check() comes before any write. */
int index_open(struct index *index, const char *dir, uint64_t size, const struct index *heir_of);
/* What `meta` holds under "store": whose store it is. 0 or ERR_CORRUPT. Pure. */
int index_identity(struct span value, uint8_t uuid[16]);
/* 0 when the file may be written to, or ERR_CORRUPT. Reads all of it. Beside readers. */
int index_check(const char *dir);
/* Harmless on a zeroed index. */
void index_close(struct index *index);
/* Removes the files of a broken index. */
void index_remove(const char *dir);
/* Before the file is opened a second time, beside readers: the first environment keeps its locks to
 * itself. */
void index_part(const char *dir);

/* A record, for who goes through all of them. */
struct index_object {
    uint8_t hash[STORE_HASH];
    int err; /* ERR_CORRUPT: this record; its location is none */
    struct location location;
};
/* The next `max` records from the key *from on, which is moved behind them; zeros are the begin.
 * *count is less than `max` at the end only, and *from is zeros again then. Takes a read
 * transaction of its own. Thread-safe. 0, ERR_CORRUPT (the tree), or a code of LMDB. */
int index_next(struct index *index, uint8_t from[STORE_HASH], struct index_object *out, size_t max,
               size_t *count);

/* Bytes of the file. */
uint64_t index_used(const struct index *index);
/* Records, dead ones included. Takes a read transaction of its own. Thread-safe. 0; or -EIO,
 * ERR_CORRUPT, ERR_CLOSED, or a code of LMDB, and *out is as it was. */
int index_objects(struct index *index, uint64_t *out);

/* ---- the writer ---- */

int index_begin(struct index *index);
int index_commit(struct index *index);
void index_abort(struct index *index); /* harmless without a transaction */

/* What is under a key, with what the transaction has changed. */
int index_peek(struct index *index, const uint8_t hash[STORE_HASH], struct location *out);
int index_put(struct index *index, const uint8_t hash[STORE_HASH], const struct location *location);
/* Records as the transaction sees them, dead ones included. */
uint64_t index_entries(struct index *index);
/* 0 also when there is none. */
int index_drop(struct index *index, const uint8_t hash[STORE_HASH]);

/* A line of `seg`. */
struct index_segment {
    uint32_t id;
    enum s3_log log;
    uint64_t capacity;
    int64_t created; /* seconds since 1970 */
};
/* A smaller one, or a larger, is a damage. An inline object with the longest key fits. */
#define SEGMENT_CAPACITY_MIN (UINT64_C(2) << 20)
#define SEGMENT_CAPACITY_MAX (UINT64_C(8) << 30)
int index_put_segment(struct index *index, const struct index_segment *segment);
/* With what is known of the uses of its objects. */
int index_drop_segment(struct index *index, uint32_t id);
/* Calls `each` for every segment, in order of their ids. Takes a read transaction of its own.
 * ERR_CORRUPT: a record makes no sense, and those behind it were not told. */
int index_each_segment(struct index *index,
                       void (*each)(void *arg, const struct index_segment *segment), void *arg);

/* Uses of a block of objects of a segment. Writes only what has changed: *written says so. */
int index_put_uses(struct index *index, uint32_t id, uint32_t block, struct span uses,
                   bool *written);
/* Calls `each` for every block of the segment. Takes a read transaction of its own. */
int index_each_uses(struct index *index, uint32_t id,
                    void (*each)(void *arg, uint32_t block, struct span uses), void *arg);

/* Looks at `count` records behind where the last sweep ended, and deletes the dead ones. */
int index_sweep(struct index *index, unsigned count,
                bool (*is_dead)(void *arg, const struct location *location), void *arg);

#endif
