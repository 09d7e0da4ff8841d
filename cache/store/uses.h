/*
 * uses - keeps the use counters of ledgers on disk, so that a restart does not forget what is hot.
 * For the writer's thread. Written lazily: the counts of the last minutes may be lost.
 */
#ifndef LARDER_CACHE_STORE_USES_H
#define LARDER_CACHE_STORE_USES_H

#include "cache/store/disk.h"

/* Loads what earlier runs have counted in this segment; once. */
void uses_load(struct disk *disk, struct segment *segment);

/* Most blocks (ledger.h) written by one commit: LMDB keeps the memory of the single pages of its
 * largest one, which must not grow with the number of objects. */
#define USES_AT_ONCE 64

/* Saves counters of some segments, in turn: once a minute a round begins, and each call continues
 * it. In the open index transaction. */
int uses_save(struct disk *disk);
/* Saves those of all segments, at the end. In the open index transaction. */
int uses_save_all(struct disk *disk);

#endif
