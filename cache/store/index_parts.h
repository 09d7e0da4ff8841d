/* index_parts - between the parts of index. */
#ifndef LARDER_CACHE_STORE_INDEX_PARTS_H
#define LARDER_CACHE_STORE_INDEX_PARTS_H

#include "cache/store/index.h"
#include "cache/store/walk.h"

/* Bytes of a value in `seg`, and most in `uses`. */
#define INDEX_SEGMENT_INFO 24u
#define INDEX_USES_MAX 1024u

enum index_tree { INDEX_META, INDEX_SEGMENTS, INDEX_OBJECTS, INDEX_USES, INDEX_TREES };

/* Before LMDB uses `key` in the writer's transaction (vouch.h). ERR_CORRUPT: the index is unsound
 * from now on. */
int index_vouch(struct index *index, enum index_tree tree, MDB_val key, enum vouch_use use);

/* An error of LMDB in the writer's transaction as one of ours. If LMDB itself has found damage, the
 * index is unsound from now on. */
int index_error(struct index *index, int result);

/* Calls `visit`, which must not write to the index, for the values of a tree from the key `from`
 * on, until it returns false: as of the last commit, in a read transaction of its own, under a
 * guard. A value that is none of ours is empty. Thread-safe. Returns 0, ERR_CORRUPT (the tree),
 * -EIO, ERR_CLOSED, an LMDB error, or ERR_IO: commits have overtaken it again and again. */
int index_walk(struct index *index, enum index_tree tree, struct span from,
               bool (*visit)(void *arg, struct span key, struct span value), void *arg);
/* How many values a tree has. Returns as index_walk(). */
int index_count(struct index *index, enum index_tree tree, uint64_t *out);

#endif
