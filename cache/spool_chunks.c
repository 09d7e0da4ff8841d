/* spool_chunks - the row of chunks that a spool has in memory. */
#include "cache/spool_parts.h"

#include "base/mem.h"
#include "base/memory.h"

static struct chunk *chunk_new(uint64_t start, size_t cap)
{
    struct chunk *chunk = xmalloc(sizeof(*chunk) + cap);

    atomic_init(&chunk->refs, 1);
    chunk->cap = (uint32_t)cap;
    chunk->start = start;
    memory_take(MEMORY_BODIES, sizeof(*chunk) + cap);
    return chunk;
}

void chunk_unref(void *arg)
{
    struct chunk *chunk = arg;

    if (chunk && atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) == 1) {
        memory_give(MEMORY_BODIES, sizeof(*chunk) + chunk->cap);
        free(chunk);
    }
}

struct chunk *chunk_ref(struct chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    return chunk;
}

uint64_t chunk_end(const struct chunk *chunk)
{
    return chunk->start + chunk->cap;
}

/* Adds a place to the array of chunks. Most bodies have one chunk, which needs no separate
 * array. */
static void lengthen_row(struct spool *spool)
{
    struct chunk **own = spool->chunks == &spool->first ? NULL : spool->chunks;

    spool->cap *= 4;
    spool->chunks = xrealloc(own, spool->cap * sizeof(struct chunk *));
    spool->chunks[0] = own ? spool->chunks[0] : spool->first;
}

/* Only the writer adds chunks, but readers use the array, so it changes under the lock. */
struct chunk *spool_add_chunk(struct spool *spool, size_t coming)
{
    struct chunk *chunk = chunk_new(spool->length, spool_next_size(spool, coming));

    memory_relieve();
    pthread_mutex_lock(&spool->lock);
    if (spool->count == spool->cap) {
        lengthen_row(spool);
    }
    spool->chunks[spool->count++] = chunk;
    spool->in_memory += chunk->cap;
    pthread_mutex_unlock(&spool->lock);
    spool->tail = chunk;
    return chunk;
}

struct chunk *spool_chunk_at(const struct spool *spool, uint64_t offset)
{
    size_t low = spool->dropped, high = spool->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (chunk_end(spool->chunks[middle]) <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < spool->count && spool->chunks[low]->start <= offset ? spool->chunks[low] : NULL;
}
