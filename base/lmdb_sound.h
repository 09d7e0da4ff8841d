/*
 * sound - checks the structure of an LMDB file before LMDB writes to it. LMDB 0.9 trusts what it
 * reads: its pages have no checksums, and a damaged one can make a write overrun memory, again
 * after each restart. This walks the trees of the last commit within bounds, and reads no values
 * but the free list. It takes about 0.1 µs per record when the file is in memory.
 */
#ifndef LARDER_BASE_LMDB_SOUND_H
#define LARDER_BASE_LMDB_SOUND_H

#include "base/lmdb_tree.h"
#include "base/span.h"

/* Returns 0 if LMDB may write to `path`, or it is empty; ERR_CORRUPT; or -errno. Thread-safe, while
 * nobody writes to the file. */
int lmdb_sound_check(const char *path);

/* The same for a file without named trees, whose values are in the main one. */
int lmdb_sound_check_nameless(const char *path);

/* Like lmdb_sound_check() without the named tree and the free list, which are most of a file: it
 * may be read, but not written to. */
int lmdb_sound_check_without(const char *path, const char *tree);
/* Like lmdb_sound_check() of no named tree but this one: LMDB may open the file and look something
 * up in that tree. */
int lmdb_sound_check_only(const char *path, const char *tree);

/* Like lmdb_sound_check(), and calls `each` for every value in the leaves of the named tree. */
int lmdb_sound_each(const char *path, const char *tree,
                    void (*each)(void *arg, struct span key, struct span value), void *arg);

/* Of a file that is open, as of the commit in *meta: is what every write transaction reads sound,
 * the tree of names and the free list? `visited` is image->pages bytes to work in: a guard may be
 * left in here, so it holds no memory of its own. */
bool lmdb_sound_commit(const struct lmdb_image *image, const struct meta *meta, uint8_t *visited);

#endif
