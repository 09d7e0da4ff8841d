/*
 * evict - keeps the store under its size: drops the segment written first.
 *
 * The writer's thread only, with an index transaction begun. A dropped segment takes no new
 * readers and its file loses its name; those who pinned it read on, and it counts until they are
 * done. Records that point to it become misses at once and are swept from the index later.
 */
#ifndef LARDER_CACHE_STORE_EVICT_H
#define LARDER_CACHE_STORE_EVICT_H

#include "cache/store/disk.h"

/* Until `need` more bytes fit, with a margin for the index to grow. ERR_FULL: nothing left to drop
 * but the open segment. */
int evict_make_room(struct disk *disk, uint64_t need);

/* Drops until the store is under its size (the index grew, or the size was lowered). */
void evict_trim(struct disk *disk);

/* Drops the oldest segment, if there is one beside the open one. */
bool evict_one(struct disk *disk);

/* Closes dropped segments whose last reader has left. */
void evict_reap(struct disk *disk);

/* Deletes dead index records among the next `count`. */
int evict_sweep(struct disk *disk, unsigned count);

#endif
