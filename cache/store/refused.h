/*
 * refused - deletions that failed with their batch: the records were dropped, or are older than
 * what should have replaced them. They stay hidden (drops.h) until the index has deleted them. They
 * are tried again after the pause, before anything posted later and separately, since a full disk
 * may allow deletions only; and within the pause before a new head for their key, which would
 * otherwise be applied to an older object. While the writer stops, they are tried a few times, and
 * then left behind.
 *
 * Part of the writer: for its thread, under its lock except refused_end().
 */
#ifndef LARDER_CACHE_STORE_REFUSED_H
#define LARDER_CACHE_STORE_REFUSED_H

#include "cache/store/writer.h"

/* Are there any, and is it time to try again? */
bool refused_is_due(const struct writer *writer);
/* Adds them as operations to an empty batch, up to its limits. */
void refused_take(struct writer *writer, struct list *batch);
/* Adds the one for the key of `op`, before it; returns how many (0 or 1). */
size_t refused_take_of(struct writer *writer, const struct op *op, struct list *batch);

/* To be called for each operation of an ended batch, before op_end(). Takes the lock. */
void refused_end(struct writer *writer, const struct op *op, bool failed);
/* At the end: logs those that are left, and forgets them. */
void refused_leave(struct writer *writer);

#endif
