/*
 * index - the index environment. Databases: `meta` (identity of the store), `seg` (segments), `obj`
 * (key hash → location) and `uses` (segment and block → one byte for each of its objects). Records
 * are replaced in place; those that refer to a dropped segment are misses, and are deleted a few at
 * each commit.
 *
 * Lookups by key are in lookup.h. All else is for the writer, in one write transaction. index.c has
 * the file and `meta`, index_records.c `obj`, index_segments.c `seg` and `uses`.
 */
#ifndef LARDER_CACHE_STORE_INDEX_H
#define LARDER_CACHE_STORE_INDEX_H

#include "cache/store/env.h"
#include "cache/store/object.h"
#include "cache/store/s3fifo.h"
#include "cache/store/vouch.h"

#include <stdatomic.h>

struct index {
    struct env env;
    MDB_dbi meta, segments, objects, uses;
    MDB_txn *txn;       /* the writer's transaction */
    struct vouch vouch; /* for its pages */
    bool is_unsound;    /* damaged, as a transaction has found: nothing more may be written */
    /* LMDB has given up the environment: a root could not be written. Nothing is written to the
     * file until it is opened again, so it can be read without a transaction. */
    atomic_bool given_up;
    uint8_t uuid[16];
    struct sip_key secret;
    /* The environment of the same file before it was reopened. Readers that began just before may
     * still use it, without a transaction or in one that this environment does not see, while this
     * one writes. No new lookups begin there, and LMDB reuses the pages of a commit only in the
     * third one after it, when such lookups are long over. A lookup that is even slower may miss,
     * or find what was right when it began: a location has a checksum that includes its key's hash,
     * and its record has the key. */
    struct index *older;
    uint32_t next_id;               /* no segment has had this id or a higher one */
    uint8_t sweep_from[STORE_HASH]; /* where the next sweep continues */
};

/* Opens or creates `dir`/index.mdb. A new index takes uuid and secret from `heir_of`; NULL: random
 * ones. An existing file is not written to. `size` of the store limits the file. ERR_CORRUPT: it is
 * no index, or damaged. ERR_UNSUPPORTED: it is of another version. Call index_check() before the
 * first write. */
int index_open(struct index *index, const char *dir, uint64_t size, const struct index *heir_of);
/* Reads the identity of the store from the value "store" of `meta`. 0, ERR_CORRUPT or
 * ERR_UNSUPPORTED. Pure. */
int index_identity(struct span value, uint8_t uuid[16]);
/* Checks the whole file. 0: it may be written to; or ERR_CORRUPT. Readers may go on. */
int index_check(const char *dir);
/* Accepts a zeroed index. */
void index_close(struct index *index);
/* Removes the files of a damaged index. */
void index_remove(const char *dir);
/* To be called before the file is opened a second time while there are readers: separates the lock
 * file of the first environment. */
void index_part(const char *dir);

/* A record, for iterating. */
struct index_object {
    uint8_t hash[STORE_HASH];
    int err; /* ERR_CORRUPT: the record is damaged, and `location` is not set */
    struct location location;
};
/* Reads the next `max` records from key *from, which is advanced; zeros are the beginning. At the
 * end *count is less than `max`, and *from is zeros. In a read transaction of its own. Thread-safe.
 * Returns 0, ERR_CORRUPT (the tree), or an LMDB error. */
int index_next(struct index *index, uint8_t from[STORE_HASH], struct index_object *out, size_t max,
               size_t *count);

/* Size of the file in bytes. */
uint64_t index_used(const struct index *index);
/* Number of records, including dead ones. In a read transaction of its own. Thread-safe. Returns 0,
 * or -EIO, ERR_CORRUPT, ERR_CLOSED or an LMDB error with *out unchanged. */
int index_objects(struct index *index, uint64_t *out);

/* ---- for the writer ---- */

int index_begin(struct index *index);
int index_commit(struct index *index);
void index_abort(struct index *index); /* does nothing without a transaction */

/* The location under a key, as changed by the transaction. */
int index_peek(struct index *index, const uint8_t hash[STORE_HASH], struct location *out);
int index_put(struct index *index, const uint8_t hash[STORE_HASH], const struct location *location);
/* Number of records as changed by the transaction, including dead ones. */
uint64_t index_entries(struct index *index);
/* Returns 0 also if there is no such record. */
int index_drop(struct index *index, const uint8_t hash[STORE_HASH]);

/* A record of `seg`. */
struct index_segment {
    uint32_t id;
    enum s3_log log;
    uint64_t capacity;
    int64_t created; /* seconds since 1970 */
};
/* The size limits of a segment's record, beyond which it is damaged. An inline object with the
 * longest key fits. */
#define SEGMENT_CAPACITY_MIN (UINT64_C(2) << 20)
#define SEGMENT_CAPACITY_MAX (UINT64_C(8) << 30)
int index_put_segment(struct index *index, const struct index_segment *segment);
/* Also deletes the stored uses of its objects. */
int index_drop_segment(struct index *index, uint32_t id);
/* Calls `each`, which must not write to the index, for every segment by ascending id. In a read
 * transaction of its own. ERR_CORRUPT: a record is damaged, and those behind it were not visited.
 */
int index_each_segment(struct index *index,
                       void (*each)(void *arg, const struct index_segment *segment), void *arg);

/* Stores the uses of a block of objects, if they have changed (*written). */
int index_put_uses(struct index *index, uint32_t id, uint32_t block, struct span uses,
                   bool *written);
/* Calls `each` for every block of the segment, as index_each_segment() does. */
int index_each_uses(struct index *index, uint32_t id,
                    void (*each)(void *arg, uint32_t block, struct span uses), void *arg);

/* Deletes the dead ones among the next `count` records. */
int index_sweep(struct index *index, unsigned count,
                bool (*is_dead)(void *arg, const struct location *location), void *arg);

#endif
