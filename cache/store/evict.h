/*
 * evict - keeps the store below its size: drops the oldest segments, in the order of s3fifo.h,
 * after copying what was used to the main log (forward.h).
 *
 * Only for the writer's thread, inside an index transaction. A dropped segment accepts no new
 * readers, and its file is unlinked; readers that have it pinned go on, and it counts as used space
 * until they are done. Index records that refer to it are misses from then on, and are deleted
 * later.
 *
 * A victim is examined step by step, along with the batches before its room is needed, and dropped
 * after the commit that makes the copies durable. If writing is faster, or the store is tiny, the
 * rest is done at once; if even that makes no room, segments are dropped without copying. Writing
 * never waits for what could be kept.
 */
#ifndef LARDER_CACHE_STORE_EVICT_H
#define LARDER_CACHE_STORE_EVICT_H

#include "cache/store/disk.h"

/* Makes room for `need` bytes, with reserves for the index and for a segment of copies.
 * ERR_FULL: only open segments are left. ERR_AGAIN: called by an eviction. Other errors make the
 * batch fail. */
int evict_make_room(struct disk *disk, uint64_t need);

/* At the beginning of a batch: drops the segments that were examined completely, and more until the
 * store is below its size, or only readers prevent that. An error makes the batch fail. */
int evict_trim(struct disk *disk);

/* At the end of a batch that wrote so many bytes: examines the next victim further if room is
 * scarce. An error makes the batch fail. */
int evict_ahead(struct disk *disk, uint64_t written);

/* After a failed batch: goes back to where the examination was before it, unless that segment was
 * dropped. */
void evict_restore(struct disk *disk, const struct eviction *before);

/* Drops a segment without copying, preferably one without readers, whose room is free at once.
 * False: only open segments are left. Needs no transaction. */
bool evict_one(struct disk *disk);
/* Drops this segment and its file. */
void evict_discard(struct disk *disk, struct segment *segment);

/* Closes dropped segments without readers, and releases LMDB's memory for segments that are written
 * no more. */
void evict_reap(struct disk *disk);

/* Deletes the dead records among the next `count` of the index. */
int evict_sweep(struct disk *disk, unsigned count);

#endif
