/*
 * lookup - finds a key in the index, or a number in a segment, as of the last commit, by a walk
 * that knows which pages are in memory (walk.h). For event loops, which must not wait, for the
 * threads that read for them, and for the writer.
 *
 * Thread-safe; a segment must be pinned. WALK_NOW: ERR_AGAIN if something is not in memory. What
 * WALK_READ reads is a copy whose checksum was just verified; with the other ways that is done once
 * during a run. Returns 0, ERR_NOT_FOUND (index only), ERR_CORRUPT, ERR_IO, -EIO, or an LMDB error.
 * On errors the caller owns nothing.
 */
#ifndef LARDER_CACHE_STORE_LOOKUP_H
#define LARDER_CACHE_STORE_LOOKUP_H

#include "cache/store/index.h"
#include "cache/store/segment.h"
#include "cache/store/walk.h"

/* *commit: the commit that was read. ERR_IO also if the tree is damaged. */
int lookup_location(struct index *index, const uint8_t hash[STORE_HASH], enum walk_way way,
                    struct location *out, uint64_t *commit);

/* A record. Its bytes are in the mapping, or in `copy` (to be freed) if they are too small to be
 * lent: LMDB moves small values when it rebalances a page, but never large ones. */
struct segment_record {
    struct record record;
    struct span bytes;
    void *copy;
};

int lookup_record(struct segment *segment, uint32_t number, enum walk_way way,
                  struct segment_record *out);

/* *copy is NULL if the bytes are in the mapping, else it must be freed. */
int lookup_chunk(struct segment *segment, const struct store_chunk *chunk, enum walk_way way,
                 struct span *out, void **copy);
/* The same from the mapping only; `way` is WALK_MAP or WALK_NOW. */
int lookup_lend(struct segment *segment, const struct store_chunk *chunk, enum walk_way way,
                struct span *out);

/* The next numbers of a segment that nobody is writing to. Waits for the disk. */
int lookup_next(struct segment *segment, uint32_t *object, uint32_t *chunk);

/* The key hash of the object that a chunk belongs to. Waits for the disk. */
int lookup_owner(struct segment *segment, uint32_t number, uint8_t owner[STORE_HASH]);

#endif
