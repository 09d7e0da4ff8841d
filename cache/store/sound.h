/*
 * sound - is the structure of an LMDB file whole? Looked at before LMDB writes to it.
 *
 * LMDB 0.9 believes what it reads: its pages have no checksums, and a damaged one makes a write
 * overrun memory, again after every restart. This walks the trees of the last commit in the file
 * itself, every access inside its bounds, and reads no values but the free list. It takes about a
 * tenth of a microsecond a record when the file is in memory.
 */
#ifndef LARDER_CACHE_STORE_SOUND_H
#define LARDER_CACHE_STORE_SOUND_H

#include "base/span.h"

/* 0 when `path` is a file LMDB may write to, or holds nothing yet; ERR_CORRUPT; or -errno. Any
 * thread, while nobody writes to the file. */
int sound_check(const char *path);

/* The same without the named tree and the free list, which are most of a file: it may be read, but
 * not yet written to. */
int sound_check_without(const char *path, const char *tree);
/* The same of no named tree but this: LMDB may open the file, and look something up in that one. */
int sound_check_only(const char *path, const char *tree);

/* As sound_check(), and calls `each` for every value of the named tree that lies in its leaves. */
int sound_each(const char *path, const char *tree,
               void (*each)(void *arg, struct span key, struct span value), void *arg);

#endif
