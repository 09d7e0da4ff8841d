/*
 * batch - a group of operations made durable by one commit. For the writer's thread. Segments are
 * committed first, then the index, so that a crash in between only leaves bytes that nothing refers
 * to.
 */
#ifndef LARDER_CACHE_STORE_BATCH_H
#define LARDER_CACHE_STORE_BATCH_H

#include "cache/store/op.h"

/* Writes and commits all of `ops`, or none: then each operation gets the error. Operations that
 * fail on their own get their own error. If a segment was too full or damaged, or the index was,
 * the batch is repeated once with a new one. *wrote: the disk has accepted writes. */
int batch_write(struct disk *disk, struct list *ops, bool *wrote);
/* Fails each operation and its put; writes nothing. */
void batch_fail(struct list *ops, int err);
/* The last batch: writes what the store should remember of this run. */
void batch_close(struct disk *disk);

#endif
