/* spool_store - stores the body of a spool, in groups while it arrives and at its end. */
#include "cache/spool_parts.h"

#include "base/err.h"
#include "base/mem.h"

enum { GROUP_CHUNKS_MAX = 5 + 3 }; /* the first CHUNK bytes are in at most five chunks */

struct group_ticket {
    struct spool *spool;
    size_t group;
};

static void remember_place(struct spool *spool, size_t group, const struct place *place)
{
    if (group >= spool->places_cap) {
        spool->places_cap = spool->places_cap ? spool->places_cap * 2 : 8;
        spool->places = xrealloc(spool->places, spool->places_cap * sizeof(*spool->places));
    }
    spool->places[group] = *place;
    spool->stored = group + 1;
}

static void on_group_stored(void *arg, int err, const struct store_chunk *place)
{
    struct group_ticket *ticket = arg;
    struct spool *spool = ticket->spool;
    struct place pinned = {0};
    struct span bytes;

    if (err == 0) {
        pinned.chunk = *place;
        err = store_lend(spool->shelf.store, place, &pinned.pin, &bytes);
    }
    pthread_mutex_lock(&spool->lock);
    if (err == 0 && ticket->group == spool->stored) {
        remember_place(spool, ticket->group, &pinned);
        pinned.pin = NULL;
    } else {
        spool->put_failed = true;
        spool_wake(&spool->writer); /* without readers there is no use for the body any more */
    }
    spool_let_go(spool);
    pthread_mutex_unlock(&spool->lock);
    if (pinned.pin) { /* an earlier group has failed, so this one cannot be used */
        store_unpin(spool->shelf.store, pinned.pin);
    }
    free(ticket);
    spool_unref(&spool);
}

size_t spool_borrow(struct spool *spool, uint64_t from, uint64_t to, struct store_piece *pieces,
                    size_t max)
{
    size_t n = 0;

    while (from < to) {
        struct chunk *chunk = spool_chunk_at(spool, from);
        CHECK(chunk != NULL && n < max);
        uint64_t end = chunk_end(chunk) < to ? chunk_end(chunk) : to;
        pieces[n++] = (struct store_piece){
            .bytes = span_of(chunk->data + (from - chunk->start), (size_t)(end - from)),
            .release = chunk_unref,
            .arg = chunk_ref(chunk),
        };
        from = end;
    }
    return n;
}

/* Without the lock, because the store may call back at once. */
void spool_queue_groups(struct spool *spool, bool last)
{
    for (;;) {
        struct store_piece pieces[GROUP_CHUNKS_MAX];
        pthread_mutex_lock(&spool->lock);
        uint64_t from = (uint64_t)spool->queued * STORE_CHUNK;
        uint64_t left = spool->length > from ? spool->length - from : 0;
        uint64_t take = left < STORE_CHUNK ? left : STORE_CHUNK;
        if (!spool_is_storing(spool) || take == 0 || (take < STORE_CHUNK && !last)) {
            pthread_mutex_unlock(&spool->lock);
            return;
        }
        size_t count = spool_borrow(spool, from, from + take, pieces, ARRAY_LEN(pieces));
        struct group_ticket *ticket = xmalloc(sizeof(*ticket));
        *ticket = (struct group_ticket){spool_ref(spool), spool->queued++};
        pthread_mutex_unlock(&spool->lock);
        store_put_chunk(spool->put, pieces, count, on_group_stored, ticket);
    }
}
