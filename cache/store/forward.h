/*
 * forward - examines a segment that is to be dropped, and copies what the policy keeps to the main
 * log. For the writer's thread, inside a batch.
 *
 * A kept object gets a new record with the head of its last update. Of a large body only the chunks
 * in this segment are copied. Readers find the old ones until the batch is committed and the
 * segment dropped.
 */
#ifndef LARDER_CACHE_STORE_FORWARD_H
#define LARDER_CACHE_STORE_FORWARD_H

#include "cache/store/disk.h"

#define FORWARD_MAX (32u << 20) /* bytes copied in one batch; what comes then is not kept */

/* Prepares the examination, and loads the uses that earlier runs have counted. False: the segment
 * is damaged, and nothing can be kept. */
bool forward_begin(struct disk *disk, struct segment *victim);

/* Continues at disk->eviction for `budget` bytes of objects, or to the end (eviction.walked).
 * Returns 0, also when there was no room for something to keep (*no_room), which is not kept then.
 * Other results make the batch fail. */
int forward_walk(struct disk *disk, struct segment *victim, uint64_t budget,
                 enum s3_pressure pressure, bool *no_room);

#endif
