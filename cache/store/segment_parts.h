/*
 * segment_parts - the inside of a segment, shared by segment.c (life, pins, verified chunks),
 * segment_file.c (content and identity of the file), segment_write.c (appending) and
 * segment_watch.c (other writers).
 */
#ifndef LARDER_CACHE_STORE_SEGMENT_PARTS_H
#define LARDER_CACHE_STORE_SEGMENT_PARTS_H

#include "cache/store/segment.h"

/* Opens segment->env, for writing (then also its databases) or only for reading. `create`: makes
 * the file and its first commit. Returns 0; ERR_CORRUPT: it is no segment, or unreadable; or an
 * error of LMDB or the system. On errors env is closed. */
int segment_open_file(struct segment *segment, bool create);

/* When the file has been opened. */
void segment_watch_start(struct segment *segment);
/* Around the writer's own writes to the file. */
void segment_watch_begin(struct segment *segment);
void segment_watch_end(struct segment *segment);

#endif
