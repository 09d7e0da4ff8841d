/*
 * forward - looks through a segment that is to go, and copies what the policy keeps to the main
 * log. The writer's thread, inside a batch.
 *
 * An object that is kept gets a new record, with the head of its last update; of a large body the
 * chunks in this segment are copied, those elsewhere stay where they are. Until the batch is
 * committed and the segment dropped, readers find the old ones.
 */
#ifndef LARDER_CACHE_STORE_FORWARD_H
#define LARDER_CACHE_STORE_FORWARD_H

#include "cache/store/disk.h"

#define FORWARD_MAX (32u << 20) /* bytes copied in one batch; what comes then is not kept */

/* Makes sure that the segment can be looked through, and what earlier runs know of its uses is
 * loaded. False: it is damaged, and nothing of it can be kept. */
bool forward_begin(struct disk *disk, struct segment *victim);

/* Goes on at disk->eviction, past `budget` bytes of objects or to the end (eviction.walked).
 * 0, also when there was no room for what should be kept (*no_room): then it is not kept. Another
 * result spoils the batch. */
int forward_walk(struct disk *disk, struct segment *victim, uint64_t budget,
                 enum s3_pressure pressure, bool *no_room);

#endif
