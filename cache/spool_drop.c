/* spool_drop - what of a body leaves memory, and when whoever appends to it has to pause. */
#include "cache/spool_parts.h"

#include "base/memory.h"

/* How many bytes the spool may hold in memory. While memory is tight, each spool gets the smallest
 * amount with which it can make progress. Above the limit, what only passes through is taken piece
 * by piece: the next one when all readers have the last. */
static size_t window(const struct spool *spool)
{
    if (spool->room_certain || !memory_is_tight()) {
        return spool->limit;
    }
    if (spool_is_storing(spool)) {
        return STORE_CHUNK - 1;
    }
    return memory_is_over() ? 0 : CHUNK_SECOND;
}

/* Chunks that end at or below this offset may be dropped. */
static uint64_t droppable(struct spool *spool)
{
    uint64_t stored = (uint64_t)spool->stored * STORE_CHUNK;

    if (spool_keeps(spool)) {
        return 0;
    }
    uint64_t read = spool->had_reader ? spool_passed_by_all(spool) : 0;
    if (spool_is_storing(spool)) {
        return spool->in_memory > window(spool) || read > stored ? stored : read;
    }
    return read > stored ? read : stored;
}

/* Does it hold more than `limit`? Not if no write and no reader in progress will let chunks be
 * dropped: then a pause would not end. */
static bool is_full(const struct spool *spool, size_t limit)
{
    bool strained = spool->strained && spool_is_storing(spool);

    if (spool_keeps(spool) || (spool->in_memory <= limit && !strained)) {
        return false;
    }
    if (spool_is_storing(spool)) {
        return spool->queued > spool->stored;
    }
    return !spool->had_reader || spool_is_behind(spool);
}

static void drop_below(struct spool *spool, uint64_t offset)
{
    while (spool->dropped < spool->count && chunk_end(spool->chunks[spool->dropped]) <= offset) {
        struct chunk *chunk = spool->chunks[spool->dropped];
        spool->chunks[spool->dropped++] = NULL;
        spool->in_memory -= chunk->cap;
        chunk_unref(chunk);
    }
}

void spool_let_go_stored(struct spool *spool)
{
    drop_below(spool, (uint64_t)spool->stored * STORE_CHUNK);
}

void spool_let_go(struct spool *spool)
{
    drop_below(spool, droppable(spool));
    if (spool->paused && !is_full(spool, window(spool) / 2)) {
        spool->paused = false;
        spool_wake(&spool->writer);
    }
}

bool spool_must_pause(const struct spool *spool)
{
    return is_full(spool, window(spool));
}
