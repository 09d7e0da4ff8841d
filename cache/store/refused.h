/*
 * refused - records that were to go with a batch that failed: they were dropped, or are older than
 * what was to replace them. They hide (drops.h) until the index agrees, and are tried again: behind
 * the pause, before anything that was posted later and apart from it, for a disk may let go of
 * records and take nothing new; and within the pause before a new head for their key, which would
 * come to what is older. While the writer is to stop a few times, and then they are left behind.
 *
 * A part of the writer: its thread only, under its lock but for refused_end().
 */
#ifndef LARDER_CACHE_STORE_REFUSED_H
#define LARDER_CACHE_STORE_REFUSED_H

#include "cache/store/writer.h"

/* There are some, and it is time to try again. */
bool refused_is_due(const struct writer *writer);
/* Those, as operations of an empty batch, up to its bounds. */
void refused_take(struct writer *writer, struct list *batch);
/* The one that `op` would come to, in front of the batch; how many. */
size_t refused_take_of(struct writer *writer, const struct op *op, struct list *batch);

/* The batch of this operation has ended, each of them before op_end(). Takes the lock. */
void refused_end(struct writer *writer, const struct op *op, bool failed);
/* At the end: those the disk still has are told, and forgotten. */
void refused_leave(struct writer *writer);

#endif
