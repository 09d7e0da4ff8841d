#include "cache/spool_parts.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/minmax.h"

/* ---- life ---- */

struct spool *spool_new(const struct spool_options *options)
{
    struct spool *spool = xcalloc(1, sizeof(*spool));
    memory_take(MEMORY_BODIES, sizeof(*spool));

    atomic_init(&spool->refs, 1);
    CHECK(pthread_mutex_init(&spool->lock, NULL) == 0);
    spool->expected = options->expected;
    spool->limit = options->limit;
    spool->room_certain = options->room_certain;
    spool->length_untrusted = options->length_untrusted;
    spool->promised = options->promised;
    spool->writer = options->writer;
    spool->chunks = &spool->first;
    spool->cap = 1;
    spool->most = UINT64_MAX;
    list_init(&spool->readers);
    return spool;
}

struct spool *spool_ref(struct spool *spool)
{
    atomic_fetch_add_explicit(&spool->refs, 1, memory_order_relaxed);
    return spool;
}

void spool_unref(struct spool **slot)
{
    struct spool *spool = *slot;

    *slot = NULL;
    if (spool == NULL || atomic_fetch_sub_explicit(&spool->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    CHECK(list_empty(&spool->readers));
    if (spool->put) {
        store_put_abort(spool->put);
    }
    spool_drop_promise(spool);
    for (size_t i = spool->dropped; i < spool->count; i++) {
        chunk_unref(spool->chunks[i]);
    }
    for (size_t i = 0; i < spool->stored; i++) {
        store_unpin(spool->shelf.store, spool->places[i].pin);
    }
    if (spool->chunks != &spool->first) {
        free(spool->chunks);
    }
    free(spool->places);
    pthread_mutex_destroy(&spool->lock);
    memory_give(MEMORY_BODIES, sizeof(*spool));
    free(spool);
}

/* ---- the writer ---- */

void spool_wake(struct waker *waker)
{
    if (waker->wake) {
        waker->wake(waker->arg);
    }
}

void spool_keep(struct spool *spool, uint64_t max)
{
    CHECK(spool->length == 0);
    spool->keep = true;
    spool->keep_max = max;
}

/* A body that will not be kept in memory until its end is stored in groups. */
static void spill_when_large(struct spool *spool)
{
    uint64_t known = spool->expected > 0 ? (uint64_t)spool->expected : 0;

    if (spool->put && max_u64(spool->length, known) > spool->keep_max) {
        spool->spill = true;
    }
}

void spool_store(struct spool *spool, struct shelf shelf, struct store_put *put, uint64_t max)
{
    CHECK(spool->length == 0 && spool->put == NULL);
    spool_keep(spool, min_u64(max, INLINE_BODY_MAX));
    spool->shelf = shelf;
    spool->put = put;
    spill_when_large(spool);
}

void spool_bound(struct spool *spool, uint64_t most)
{
    CHECK(spool->length == 0);
    spool->most = most;
}

/* The body has become longer than allowed: what was stored of it is abandoned, and it is only
 * passed on from here. */
static void outgrow(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    struct store_put *put = spool->put;
    spool->put = NULL;
    spool->keep = false;
    spool->outgrown = true;
    pthread_mutex_unlock(&spool->lock);
    spool_drop_promise(spool);
    if (put) {
        store_put_abort(put);
    }
}

static void copy_in(struct spool *spool, struct span bytes)
{
    while (bytes.len > 0) {
        struct chunk *tail = spool->tail ? spool->tail : spool_add_chunk(spool, bytes.len);
        uint64_t room = chunk_end(tail) - spool->length;
        struct span part = span_take(bytes, room < bytes.len ? (size_t)room : bytes.len);
        /* beyond the published length, where no reader looks so far */
        memcpy(tail->data + (spool->length - tail->start), part.at, part.len);
        if (part.len == room) {
            spool->tail = NULL; /* once published, a reader may drop it */
        }
        pthread_mutex_lock(&spool->lock);
        spool_lengthen(spool, part.len);
        pthread_mutex_unlock(&spool->lock);
        bytes = span_skip(bytes, part.len);
    }
}

static void wake_readers(struct spool *spool)
{
    list_each(link, &spool->readers)
    {
        struct spool_reader *reader = list_entry(link, struct spool_reader, link);
        if (reader->waiting) {
            reader->waiting = false;
            spool_wake(&reader->waker);
        }
    }
}

/* While memory is tight, small bodies may no longer wait in memory for their end: this one is
 * stored in groups as large ones are or, without a store, only passed through. */
static void spill_when_tight(struct spool *spool)
{
    if (spool_keeps(spool) && !spool->room_certain && memory_is_tight()) {
        spool->spill = spool_is_storing(spool);
        spool->keep = spool->spill;
        spool->put_failed = spool->lacks_room = !spool->spill;
    }
}

enum spool_flow spool_append(struct spool *spool, struct span bytes)
{
    CHECK(!spool->ended);
    copy_in(spool, bytes);
    if (spool->length > spool->most && !spool->outgrown) {
        outgrow(spool);
    }
    if (spool->put && spool_is_large(spool)) {
        spool_queue_groups(spool, false);
    }
    spool_look_ahead(spool);
    pthread_mutex_lock(&spool->lock);
    spill_when_large(spool);
    spill_when_tight(spool);
    wake_readers(spool);
    spool_let_go(spool);
    spool->paused = spool_must_pause(spool);
    enum spool_flow flow = spool->paused ? SPOOL_PAUSE : SPOOL_MORE;
    bool waits_for_disk = spool->paused && spool_is_storing(spool);
    pthread_mutex_unlock(&spool->lock);
    if (waits_for_disk) {
        store_hurry(spool->shelf.store);
    }
    return flow;
}

/* Ends the spool. Returns the put if the body can still be stored. `keep`: it is to be stored in
 * spite of `err`; if that is impossible, at least the record that it would have replaced is
 * deleted. */
static struct store_put *finish(struct spool *spool, int err, bool keep)
{
    spool_drop_promise(spool);
    pthread_mutex_lock(&spool->lock);
    CHECK(!spool->ended);
    struct store_put *put = spool->put;
    bool usable = spool_is_storing(spool) && (err == 0 || keep);
    spool->put = NULL;
    spool->committed = usable;
    spool->ended = true;
    spool->err = err;
    atomic_store_explicit(&spool->complete, err == 0, memory_order_release);
    wake_readers(spool);
    pthread_mutex_unlock(&spool->lock);
    if (put && !usable && keep) {
        store_put_fail(put);
    } else if (put && !usable) {
        store_put_abort(put);
    }
    return usable ? put : NULL;
}

void spool_end(struct spool *spool, int err)
{
    struct store_put *put = finish(spool, err, false);

    if (put) {
        store_put_abort(put); /* the caller gives no head to store it under */
    }
}

void spool_commit_broken(struct spool *spool, int err, struct span head, const void *meta,
                         size_t meta_len, void (*done)(void *arg, int err), void *arg)
{
    struct store_piece pieces[INLINE_CHUNKS_MAX];
    size_t count = 0;
    bool large = spool_is_large(spool);

    if (large && spool->put) {
        spool_queue_groups(spool, true);
    }
    struct store_put *put = finish(spool, err, true);
    if (put == NULL) {
        done(arg, ERR_IO);
        return;
    }
    if (!large) {
        pthread_mutex_lock(&spool->lock);
        count = spool_borrow(spool, 0, spool->length, pieces, ARRAY_LEN(pieces));
        pthread_mutex_unlock(&spool->lock);
    }
    store_put_finish(put, head, meta, meta_len, spool->length, pieces, count, done, arg);
}

void spool_commit(struct spool *spool, struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg)
{
    spool_commit_broken(spool, 0, head, meta, meta_len, done, arg);
}

bool spool_has_put(const struct spool *spool)
{
    return spool->put != NULL;
}

void spool_rename(struct spool *spool, const uint8_t hash[STORE_HASH], struct span key)
{
    CHECK(!spool->ended);
    if (spool->put) {
        shelf_put_rename(spool->shelf, spool->put, hash, key);
    }
}

void spool_writer_gone(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    spool->writer = (struct waker){0};
    pthread_mutex_unlock(&spool->lock);
}
