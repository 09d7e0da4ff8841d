/*
 * lookup - what is under a key in the index, and under a number in a segment, as of the last
 * commit, by a walk that knows which pages are in memory (walk.h): for event loops, which must not
 * wait, for the threads that read from the disk on their behalf, and for the writer.
 *
 * Any thread; of a segment with a pin. WALK_NOW: ERR_AGAIN when something is not in memory. What is
 * read with WALK_READ is a copy of its own, and its checksum was held against it just now; with the
 * other ways that is done once in a process life.
 *
 * 0, ERR_NOT_FOUND (of the index), ERR_CORRUPT, ERR_IO, -EIO, or a code of LMDB. On failure nothing
 * is owned.
 */
#ifndef LARDER_CACHE_STORE_LOOKUP_H
#define LARDER_CACHE_STORE_LOOKUP_H

#include "cache/store/index.h"
#include "cache/store/segment.h"
#include "cache/store/walk.h"

/* *commit: the one that it is as of. ERR_IO also when the tree is damaged. */
int lookup_location(struct index *index, const uint8_t hash[STORE_HASH], enum walk_way way,
                    struct location *out, uint64_t *commit);

/* A record read: its bytes lie in the mapping, or in `copy` (to be freed) when too small to be
 * lent: LMDB moves small values when it rebalances a page, large ones never. */
struct segment_record {
    struct record record;
    struct span bytes;
    void *copy;
};

int lookup_record(struct segment *segment, uint32_t number, enum walk_way way,
                  struct segment_record *out);

/* *copy is NULL when the bytes lie in the mapping, else to be freed. */
int lookup_chunk(struct segment *segment, const struct store_chunk *chunk, enum walk_way way,
                 struct span *out, void **copy);
/* In the mapping, whatever it takes. */
int lookup_lend(struct segment *segment, const struct store_chunk *chunk, struct span *out);

/* The numbers that come next, of a segment that nobody writes to now. Waits for the disk. */
int lookup_next(struct segment *segment, uint32_t *object, uint32_t *chunk);

/* The key hash of the object that a chunk was written for. Waits for the disk. */
int lookup_owner(struct segment *segment, uint32_t number, uint8_t owner[STORE_HASH]);

#endif
