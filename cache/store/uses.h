/*
 * uses - the counters of the ledgers on disk, so that a restart does not forget what is hot. The
 * writer's thread. Written lazily: what the last minute counted may be lost.
 */
#ifndef LARDER_CACHE_STORE_USES_H
#define LARDER_CACHE_STORE_USES_H

#include "cache/store/disk.h"

/* What earlier runs have counted in this segment, once. */
void uses_load(struct disk *disk, struct segment *segment);

/* Writes the counters of some segments, going round, if a minute has passed since the last ones
 * were; all of them with `all`. The index transaction is begun. */
int uses_save(struct disk *disk, bool all);

#endif
