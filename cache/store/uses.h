/*
 * uses - keeps the use counters of ledgers on disk, so that a restart does not forget what is hot.
 * For the writer's thread. Written lazily: the counts of the last minutes may be lost.
 */
#ifndef LARDER_CACHE_STORE_USES_H
#define LARDER_CACHE_STORE_USES_H

#include "cache/store/disk.h"

/* Loads what earlier runs have counted in this segment; once. */
void uses_load(struct disk *disk, struct segment *segment);

/* Saves the counters of some segments, in turn, if a minute has passed since the last time; with
 * `all` those of all. In the open index transaction. */
int uses_save(struct disk *disk, bool all);

#endif
