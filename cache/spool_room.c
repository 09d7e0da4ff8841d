/*
 * spool_room - reserves memory for the next chunks of a spool. Memory for a body that is to be kept
 * or stored is reserved before its bytes arrive: however many bodies arrive at once, those that
 * have begun can make progress.
 */
#include "cache/spool_parts.h"

#include "base/memory.h"
#include "base/minmax.h"

/* Size of the chunk at offset `start`, in a body that may end at any time. */
static size_t growing_size(uint64_t start, size_t coming)
{
    uint64_t left = CHUNK - start % CHUNK;
    uint64_t most = start < CHUNK ? max_u64(max_u64(CHUNK_FIRST, start), coming) : left;

    return (size_t)(most < left ? most : left);
}

/* Size of the chunk at offset `start`. */
static size_t chunk_size(const struct spool *spool, uint64_t start, size_t coming)
{
    if (spool->expected < 0) {
        return growing_size(start, coming);
    }
    uint64_t left = (uint64_t)spool->expected > start ? (uint64_t)spool->expected - start : 0;
    uint64_t most = spool->length_untrusted ? growing_size(start, coming) : CHUNK - start % CHUNK;
    left = left > 0 ? left : CHUNK_FIRST;
    return (size_t)(left < most ? left : most);
}

/* Where the next chunk begins. */
static uint64_t next_start(const struct spool *spool)
{
    return spool->tail ? chunk_end(spool->tail) : spool->length;
}

/* How many bytes are needed before chunks can be dropped again, as far as is known: bodies are
 * stored in whole groups. Plus one chunk for what is still read before the origin is paused. */
static size_t needed(const struct spool *spool, size_t least)
{
    uint64_t start = next_start(spool);
    uint64_t ahead = STORE_CHUNK - start % STORE_CHUNK + CHUNK;

    if (spool->length_untrusted || (spool->expected < 0 && start < CHUNK_FIRST + CHUNK_SECOND)) {
        ahead = 0; /* most bodies of unknown length are shorter than this */
    } else if (spool->expected >= 0) {
        uint64_t whole = (uint64_t)spool->expected;
        uint64_t left = whole > start ? whole - start : 0;
        ahead = left < ahead ? left : ahead;
    }
    return ahead > least ? (size_t)ahead : least;
}

/* Reserves memory until at least `least` bytes are reserved. If memory is short, drops chunks that
 * the store has: readers then read them from the store. False: there is not enough. */
static bool assure(struct spool *spool, size_t least)
{
    if (spool->promised >= least) {
        return true;
    }
    size_t more = needed(spool, least) - spool->promised;
    if (!memory_promise(more)) {
        pthread_mutex_lock(&spool->lock);
        spool_let_go_stored(spool);
        pthread_mutex_unlock(&spool->lock);
        if (!memory_promise(more)) {
            return false;
        }
    }
    spool->promised += more;
    return true;
}

void spool_look_ahead(struct spool *spool)
{
    if (spool->room_certain || spool->put == NULL || !spool_is_large(spool) ||
        !spool_is_wanted(spool)) {
        return;
    }
    size_t ahead = needed(spool, 0);
    bool strained = !assure(spool, ahead < CHUNK ? ahead : CHUNK);
    pthread_mutex_lock(&spool->lock);
    spool->strained = strained;
    pthread_mutex_unlock(&spool->lock);
}

void spool_drop_promise(struct spool *spool)
{
    memory_give(MEMORY_PROMISED, spool->promised);
    spool->promised = 0;
}

/* There is not enough memory: from here on the body is only passed through. */
static void give_up_keeping(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    spool->keep = false;
    spool->put_failed = true;
    spool->lacks_room = true;
    spool_let_go(spool);
    pthread_mutex_unlock(&spool->lock);
}

/* Takes the next chunk from the reservation, as far as that goes. */
static size_t use_promise(struct spool *spool, size_t cap)
{
    size_t had = spool->promised < cap ? spool->promised : cap;

    spool->promised -= had;
    memory_give(MEMORY_PROMISED, had);
    return cap;
}

/* Most that the next chunk of a body may be that only passes through. */
static size_t most_passing(const struct spool *spool)
{
    if (spool->room_certain || !memory_is_tight()) {
        return CHUNK;
    }
    return memory_is_over() ? CHUNK_FIRST : CHUNK_SECOND;
}

size_t spool_next_size(struct spool *spool, size_t coming)
{
    size_t cap = chunk_size(spool, spool->length, coming);

    if (!spool->room_certain && spool_is_wanted(spool)) {
        if (assure(spool, cap)) {
            return use_promise(spool, cap);
        }
        give_up_keeping(spool);
    }
    size_t most = most_passing(spool);
    return use_promise(spool, cap < most ? cap : most);
}
