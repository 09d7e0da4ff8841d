/* spool_look - what can be asked about a spool. */
#include "cache/spool_parts.h"

#include "base/prefetch.h"

/* ---- under the lock ---- */

bool spool_is_large(const struct spool *spool)
{
    return spool->spill || spool->expected > INLINE_BODY_MAX || spool->length > INLINE_BODY_MAX;
}

bool spool_is_storing(const struct spool *spool)
{
    return (spool->put != NULL || spool->committed) && !spool->put_failed;
}

bool spool_keeps(const struct spool *spool)
{
    return spool->keep && !spool->spill && spool->length <= spool->keep_max &&
           (spool->expected < 0 || (uint64_t)spool->expected <= spool->keep_max);
}

/* ---- by any thread ---- */

size_t spool_readers(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    size_t count = spool->reader_count;
    pthread_mutex_unlock(&spool->lock);
    return count;
}

bool spool_is_paused(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool paused = spool->paused;
    pthread_mutex_unlock(&spool->lock);
    return paused;
}

bool spool_is_wanted(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool wanted = spool_is_storing(spool) || spool_keeps(spool);
    pthread_mutex_unlock(&spool->lock);
    return wanted;
}

bool spool_is_stored(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool stored = spool_is_storing(spool);
    pthread_mutex_unlock(&spool->lock);
    return stored;
}

bool spool_is_outgrown(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool outgrown = spool->outgrown;
    pthread_mutex_unlock(&spool->lock);
    return outgrown;
}

bool spool_lacks_room(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool lacks = spool->lacks_room;
    pthread_mutex_unlock(&spool->lock);
    return lacks;
}

bool spool_is_complete(const struct spool *spool)
{
    return atomic_load_explicit(&spool->complete, memory_order_acquire);
}

bool spool_is_kept(const struct spool *spool)
{
    return spool_is_complete(spool) && spool_keeps(spool);
}

void spool_prefetch(const struct spool *spool)
{
    prefetch(spool, offsetof(struct spool, lock));
}

bool spool_whole(const struct spool *spool, struct span *body)
{
    if (!spool_is_kept(spool) || spool->count > 1) {
        return false;
    }
    *body = spool->count ? span_of(spool->chunks[0]->data, (size_t)spool->length) : SPAN_EMPTY;
    return true;
}

uint64_t spool_length(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    uint64_t length = spool->length;
    pthread_mutex_unlock(&spool->lock);
    return length;
}

size_t spool_memory(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    size_t bytes = spool->in_memory + sizeof(*spool);
    pthread_mutex_unlock(&spool->lock);
    return bytes;
}
