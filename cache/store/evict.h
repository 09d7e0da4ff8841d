/*
 * evict - keeps the store under its size: gives up segments, oldest first, in the order of
 * s3fifo.h, and has what was used copied to the main log before (forward.h).
 *
 * The writer's thread only, with an index transaction begun. A dropped segment takes no new
 * readers and its file loses its name; those who pinned it read on, and it counts until they are
 * done. Records that point to it become misses at once and are swept from the index later.
 *
 * A victim is looked through little by little, with the batches that come before its room is
 * needed, and dropped behind the commit that makes the copies durable. When writing is faster than
 * that, or the store is tiny, the rest is done at once; and when not even that makes room, segments
 * go as they are: writing never waits for what could be kept.
 */
#ifndef LARDER_CACHE_STORE_EVICT_H
#define LARDER_CACHE_STORE_EVICT_H

#include "cache/store/disk.h"

/* Until `need` more bytes fit, with a margin for the index to grow and a segment for what is kept.
 * ERR_FULL: nothing left to drop but open segments. ERR_AGAIN: it is an eviction that asks. Another
 * code spoils the batch. */
int evict_make_room(struct disk *disk, uint64_t need);

/* At the begin of a batch: drops what the last ones looked through, and on until the store is under
 * its size (the index grew, or the size was lowered), or only readers have what is too much. A
 * failure spoils the batch. */
int evict_trim(struct disk *disk);

/* At the end of a batch that wrote so many bytes: looks on through the segment that goes next, if
 * room is getting scarce. A failure spoils the batch. */
int evict_ahead(struct disk *disk, uint64_t written);

/* After a batch that failed: looks on where it was before it, unless that segment has gone. */
void evict_restore(struct disk *disk, const struct eviction *before);

/* Drops a segment as it is, if there is one that is not open: one that nobody reads from, if there
 * is one, for its room comes at once. No transaction is needed. */
bool evict_one(struct disk *disk);
/* Drops this one, with its file. */
void evict_discard(struct disk *disk, struct segment *segment);

/* Closes dropped segments whose last reader has left, and leaves those to their readers that are
 * written no more. */
void evict_reap(struct disk *disk);

/* Deletes dead index records among the next `count`. */
int evict_sweep(struct disk *disk, unsigned count);

#endif
