/*
 * segment_parts - the inside of a segment, for the files it is made of: segment.c (its life, pins,
 * chunks whose checksum held), segment_file.c (what is in the file and whose it is),
 * segment_write.c (appending).
 */
#ifndef LARDER_CACHE_STORE_SEGMENT_PARTS_H
#define LARDER_CACHE_STORE_SEGMENT_PARTS_H

#include "cache/store/segment.h"

/* Opens segment->env, to write to it (its databases, too) or to read only. With `create` it makes
 * the file and its first commit. 0, ERR_CORRUPT when it is none of ours or cannot be read, or a
 * code of LMDB or the system; env is closed then. */
int segment_open_file(struct segment *segment, bool create);

#endif
