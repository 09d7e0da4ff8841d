/*
 * batch - a group of operations made durable by one commit.
 *
 * The writer's thread. Order of the commits: segments first, then the
 * index, so that a crash in between leaves bytes nobody points to and nothing else.
 */
#ifndef LARDER_CACHE_STORE_BATCH_H
#define LARDER_CACHE_STORE_BATCH_H

#include "cache/store/op.h"

/* Writes all of `ops` and commits, or none: then every operation has the error. Operations that
 * fail alone have their own. Replays the batch once in a new segment when one was too full. *wrote:
 * something went to the disk, which took it. */
int batch_write(struct disk *disk, struct list *ops, bool *wrote);
/* Tells each of them and the puts they belong to; nothing is written. */
void batch_fail(struct list *ops, int err);
/* The last batch: what the disk should know of this run. */
void batch_close(struct disk *disk);

#endif
