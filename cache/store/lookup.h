/*
 * lookup - what index_get(), segment_read() and segment_lend() find, by a walk that knows which
 * pages are in memory (walk.h): for event loops, which must not wait, and for the threads that read
 * from the disk on their behalf.
 *
 * Any thread; of a segment with a pin. WALK_NOW: ERR_AGAIN when something is not in memory. What is
 * read with WALK_READ is a copy of its own, and its checksum was held against it just now.
 */
#ifndef LARDER_CACHE_STORE_LOOKUP_H
#define LARDER_CACHE_STORE_LOOKUP_H

#include "cache/store/index.h"
#include "cache/store/segment.h"
#include "cache/store/walk.h"

/* As index_get(). *commit: the one that it is as of. */
int lookup_location(struct index *index, const uint8_t hash[STORE_HASH], enum walk_way way,
                    struct location *out, uint64_t *commit);

/* As segment_read(). */
int lookup_record(struct segment *segment, uint32_t number, enum walk_way way,
                  struct segment_record *out);

/* As segment_lend(). *copy is NULL when the bytes lie in the mapping, else to be freed. */
int lookup_chunk(struct segment *segment, const struct store_chunk *chunk, enum walk_way way,
                 struct span *out, void **copy);

#endif
