#include "cache/spool.h"

#include "base/err.h"
#include "base/mem.h"

#include <pthread.h>

/*
 * Chunks grow over the first CHUNK bytes so that a small body of unknown length costs little; four
 * full ones make up one STORE_CHUNK, so what goes to the store is always a row of whole chunks.
 *
 *   offset   0      4096        20480                65532          131064   …   262128
 *            | 4096 |   16384   |       45052        |    65532     |   …        |
 *            `---------------------- one record of the store --------------------'
 */
enum {
    CHUNK = STORE_CHUNK / 4,
    CHUNK_FIRST = 4096,
    CHUNK_SECOND = 16384,
    GROUP_CHUNKS_MAX = 6,
    /* Leaves room for the head and the key in one inline record. */
    INLINE_BODY_MAX = STORE_INLINE_MAX - 96 * 1024,
    INLINE_CHUNKS_MAX = INLINE_BODY_MAX / CHUNK + 4,
};

struct chunk {
    atomic_int refs;
    uint32_t cap;
    uint64_t start; /* offset of data[0] in the body */
    struct budget *budget;
    char data[];
};

/* A group in the store. Pinned: whoever reads the spool is never cut off by an eviction. */
struct place {
    struct store_chunk chunk;
    struct store_pin *pin;
};

struct spool {
    atomic_int refs;
    pthread_mutex_t lock;

    struct chunk **chunks; /* chunks[dropped .. count) are in memory */
    size_t dropped, count, cap;
    struct chunk *tail; /* the writer's: the last chunk while it has room */
    uint64_t length;    /* bytes published; only the writer changes it */
    int64_t expected;
    size_t in_memory; /* sum of the caps of chunks in memory */
    size_t limit;
    struct budget *budget;
    bool ended;
    int err;
    atomic_bool complete;

    struct list readers;
    size_t reader_count;
    bool had_reader;
    bool paused;
    struct waker writer;

    bool keep; /* stays in memory while small */
    struct store *store;
    struct store_put *put; /* the writer's: while the body is being stored */
    bool committed;        /* complete, the store has it or is about to */
    bool put_failed;       /* the store has said so; the writer gives `put` up */
    struct place *places;  /* where group n is, for n < stored */
    size_t places_cap;
    size_t queued, stored; /* groups handed to the store / durable there */
};

/* ---- chunks ---- */

static struct chunk *chunk_new(struct budget *budget, uint64_t start, size_t cap)
{
    struct chunk *chunk = xmalloc(sizeof(*chunk) + cap);

    atomic_init(&chunk->refs, 1);
    chunk->cap = (uint32_t)cap;
    chunk->start = start;
    chunk->budget = budget;
    atomic_fetch_add_explicit(&budget->used, cap, memory_order_relaxed);
    return chunk;
}

static void chunk_unref(void *arg)
{
    struct chunk *chunk = arg;

    if (chunk && atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) == 1) {
        atomic_fetch_sub_explicit(&chunk->budget->used, chunk->cap, memory_order_relaxed);
        free(chunk);
    }
}

static struct chunk *chunk_ref(struct chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    return chunk;
}

static uint64_t chunk_end(const struct chunk *chunk)
{
    return chunk->start + chunk->cap;
}

/* How large the chunk at offset `start` should be. */
static size_t chunk_size(const struct spool *spool, uint64_t start)
{
    if (spool->expected >= 0) {
        uint64_t left = (uint64_t)spool->expected > start ? (uint64_t)spool->expected - start : 0;
        uint64_t in_row = CHUNK - start % CHUNK;
        left = left > 0 ? left : CHUNK_FIRST;
        return (size_t)(left < in_row ? left : in_row);
    }
    switch (start) {
    case 0:
        return CHUNK_FIRST;
    case CHUNK_FIRST:
        return CHUNK_SECOND;
    default:
        return (size_t)(CHUNK - start % CHUNK);
    }
}

/* Only the writer adds chunks, but readers look at the row: under the lock. */
static struct chunk *add_chunk(struct spool *spool)
{
    struct chunk *chunk = chunk_new(spool->budget, spool->length, chunk_size(spool, spool->length));

    pthread_mutex_lock(&spool->lock);
    if (spool->count == spool->cap) {
        spool->cap = spool->cap ? spool->cap * 2 : 4;
        spool->chunks = xrealloc(spool->chunks, spool->cap * sizeof(struct chunk *));
    }
    spool->chunks[spool->count++] = chunk;
    spool->in_memory += chunk->cap;
    pthread_mutex_unlock(&spool->lock);
    spool->tail = chunk;
    return chunk;
}

/* The chunk in memory that holds `offset` (which must be published), or NULL. */
static struct chunk *chunk_at(const struct spool *spool, uint64_t offset)
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

/* ---- life ---- */

struct spool *spool_new(const struct spool_options *options)
{
    struct spool *spool = xcalloc(1, sizeof(*spool));

    atomic_init(&spool->refs, 1);
    CHECK(pthread_mutex_init(&spool->lock, NULL) == 0);
    spool->budget = options->budget;
    spool->expected = options->expected;
    spool->limit = options->limit;
    spool->writer = options->writer;
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
    for (size_t i = spool->dropped; i < spool->count; i++) {
        chunk_unref(spool->chunks[i]);
    }
    for (size_t i = 0; i < spool->stored; i++) {
        store_unpin(spool->store, spool->places[i].pin);
    }
    free(spool->chunks);
    free(spool->places);
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}

/* ---- letting bytes go ---- */

static void wake(struct waker *waker)
{
    if (waker->wake) {
        waker->wake(waker->arg);
    }
}

static uint64_t slowest_reader(const struct spool *spool)
{
    uint64_t offset = spool->length;

    list_each(link, &spool->readers)
    {
        const struct spool_reader *reader = list_entry(link, struct spool_reader, link);
        offset = reader->offset < offset ? reader->offset : offset;
    }
    return offset;
}

static bool is_large(const struct spool *spool)
{
    return spool->expected > INLINE_BODY_MAX || spool->length > INLINE_BODY_MAX;
}

static bool is_storing(const struct spool *spool)
{
    return (spool->put != NULL || spool->committed) && !spool->put_failed;
}

/* Small and wanted: all of it stays in memory. */
static bool is_kept(const struct spool *spool)
{
    return spool->keep && !is_large(spool);
}

/* When too much memory is used by all together, each makes do with the least that can move. */
static size_t memory_limit(const struct spool *spool)
{
    if (atomic_load_explicit(&spool->budget->used, memory_order_relaxed) <= spool->budget->limit) {
        return spool->limit;
    }
    return is_storing(spool) ? STORE_CHUNK : CHUNK;
}

/* Bytes below this offset may leave memory. */
static uint64_t droppable(const struct spool *spool)
{
    uint64_t stored = (uint64_t)spool->stored * STORE_CHUNK;

    if (is_kept(spool)) {
        return 0;
    }
    uint64_t read = spool->had_reader ? slowest_reader(spool) : 0;
    if (is_storing(spool)) {
        return spool->in_memory > memory_limit(spool) || read > stored ? stored : read;
    }
    return read > stored ? read : stored;
}

/* Must the writer wait? Only when something is under way that will let bytes go. */
static bool is_full(const struct spool *spool, size_t limit)
{
    if (is_kept(spool) || spool->in_memory <= limit) {
        return false;
    }
    if (is_storing(spool)) {
        return spool->queued > spool->stored;
    }
    return !spool->had_reader || slowest_reader(spool) < spool->length;
}

static void let_go(struct spool *spool)
{
    uint64_t offset = droppable(spool);

    while (spool->dropped < spool->count && chunk_end(spool->chunks[spool->dropped]) <= offset) {
        struct chunk *chunk = spool->chunks[spool->dropped];
        spool->chunks[spool->dropped++] = NULL;
        spool->in_memory -= chunk->cap;
        chunk_unref(chunk);
    }
    if (spool->paused && !is_full(spool, memory_limit(spool) / 2)) {
        spool->paused = false;
        wake(&spool->writer);
    }
}

/* ---- to the store ---- */

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
        err = store_lend(spool->store, place, &pinned.pin, &bytes);
    }
    pthread_mutex_lock(&spool->lock);
    if (err == 0 && ticket->group == spool->stored) {
        remember_place(spool, ticket->group, &pinned);
        pinned.pin = NULL;
    } else {
        spool->put_failed = true;
        wake(&spool->writer); /* without readers nobody will have it */
    }
    let_go(spool);
    pthread_mutex_unlock(&spool->lock);
    if (pinned.pin) { /* out of turn: a group before it has failed */
        store_unpin(spool->store, pinned.pin);
    }
    free(ticket);
    spool_unref(&spool);
}

/* Borrows the bytes [from, to) of the row for the store; returns the number of pieces. */
static size_t borrow_pieces(struct spool *spool, uint64_t from, uint64_t to,
                            struct store_piece *pieces, size_t max)
{
    size_t n = 0;

    while (from < to) {
        struct chunk *chunk = chunk_at(spool, from);
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

/* Called by the writer, without the lock: the store may answer at once. */
static void queue_groups(struct spool *spool, bool last)
{
    for (;;) {
        struct store_piece pieces[GROUP_CHUNKS_MAX];
        pthread_mutex_lock(&spool->lock);
        uint64_t from = (uint64_t)spool->queued * STORE_CHUNK;
        uint64_t left = spool->length > from ? spool->length - from : 0;
        uint64_t take = left < STORE_CHUNK ? left : STORE_CHUNK;
        if (!is_storing(spool) || take == 0 || (take < STORE_CHUNK && !last)) {
            pthread_mutex_unlock(&spool->lock);
            return;
        }
        size_t count = borrow_pieces(spool, from, from + take, pieces, ARRAY_LEN(pieces));
        struct group_ticket *ticket = xmalloc(sizeof(*ticket));
        *ticket = (struct group_ticket){spool_ref(spool), spool->queued++};
        pthread_mutex_unlock(&spool->lock);
        store_put_chunk(spool->put, pieces, count, on_group_stored, ticket);
    }
}

/* ---- the writer ---- */

void spool_keep(struct spool *spool)
{
    CHECK(spool->length == 0);
    spool->keep = true;
}

void spool_store(struct spool *spool, struct store *store, struct store_put *put)
{
    CHECK(spool->length == 0 && spool->put == NULL);
    spool->keep = true;
    spool->store = store;
    spool->put = put;
}

static void copy_in(struct spool *spool, struct span bytes)
{
    while (bytes.len > 0) {
        struct chunk *tail = spool->tail ? spool->tail : add_chunk(spool);
        uint64_t room = chunk_end(tail) - spool->length;
        struct span part = span_take(bytes, room < bytes.len ? (size_t)room : bytes.len);
        /* Beyond the published length: no reader looks here yet. */
        memcpy(tail->data + (spool->length - tail->start), part.at, part.len);
        if (part.len == room) {
            spool->tail = NULL; /* once published, readers may let it go */
        }
        pthread_mutex_lock(&spool->lock);
        spool->length += part.len;
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
            wake(&reader->waker);
        }
    }
}

/* Too much memory waits for the ends of small bodies: this one passes through, unstored. */
static void give_up_when_tight(struct spool *spool)
{
    if (is_kept(spool) && memory_limit(spool) != spool->limit) {
        spool->keep = false;
        spool->put_failed = true;
    }
}

enum spool_flow spool_append(struct spool *spool, struct span bytes)
{
    CHECK(!spool->ended);
    copy_in(spool, bytes);
    if (spool->put && is_large(spool)) {
        queue_groups(spool, false);
    }
    pthread_mutex_lock(&spool->lock);
    give_up_when_tight(spool);
    wake_readers(spool);
    let_go(spool);
    spool->paused = is_full(spool, memory_limit(spool));
    enum spool_flow flow = spool->paused ? SPOOL_PAUSE : SPOOL_MORE;
    pthread_mutex_unlock(&spool->lock);
    return flow;
}

/* Returns the put when the object can still be stored. */
static struct store_put *finish(struct spool *spool, int err)
{
    pthread_mutex_lock(&spool->lock);
    CHECK(!spool->ended);
    struct store_put *put = spool->put;
    bool usable = is_storing(spool) && err == 0;
    spool->put = NULL;
    spool->committed = usable;
    spool->ended = true;
    spool->err = err;
    atomic_store_explicit(&spool->complete, err == 0, memory_order_release);
    wake_readers(spool);
    pthread_mutex_unlock(&spool->lock);
    if (put && !usable) {
        store_put_abort(put);
    }
    return usable ? put : NULL;
}

void spool_end(struct spool *spool, int err)
{
    struct store_put *put = finish(spool, err);

    if (put) {
        store_put_abort(put); /* complete, but nobody gave it a head to be stored under */
    }
}

void spool_commit(struct spool *spool, struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg)
{
    struct store_piece pieces[INLINE_CHUNKS_MAX];
    size_t count = 0;
    bool large = is_large(spool);

    if (large && spool->put) {
        queue_groups(spool, true);
    }
    struct store_put *put = finish(spool, 0);
    if (put == NULL) {
        done(arg, ERR_IO);
        return;
    }
    if (!large) {
        pthread_mutex_lock(&spool->lock);
        count = borrow_pieces(spool, 0, spool->length, pieces, ARRAY_LEN(pieces));
        pthread_mutex_unlock(&spool->lock);
    }
    store_put_finish(put, head, meta, meta_len, spool->length, pieces, count, done, arg);
}

void spool_writer_gone(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    spool->writer = (struct waker){0};
    pthread_mutex_unlock(&spool->lock);
}

/* ---- anybody ---- */

size_t spool_readers(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    size_t count = spool->reader_count;
    pthread_mutex_unlock(&spool->lock);
    return count;
}

bool spool_is_wanted(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool wanted = is_storing(spool) || is_kept(spool);
    pthread_mutex_unlock(&spool->lock);
    return wanted;
}

bool spool_is_complete(const struct spool *spool)
{
    return atomic_load_explicit(&spool->complete, memory_order_acquire);
}

bool spool_is_kept(const struct spool *spool)
{
    return spool_is_complete(spool) && is_kept(spool);
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

/* ---- readers ---- */

static bool is_stored(const struct spool *spool, uint64_t offset)
{
    return offset / STORE_CHUNK < spool->stored;
}

static void release_lent(struct spool_reader *reader)
{
    if (reader->chunk) {
        chunk_unref(reader->chunk);
        reader->chunk = NULL;
    }
    if (reader->pin) {
        store_unpin(reader->spool->store, reader->pin);
        reader->pin = NULL;
    }
}

void spool_reader_fini(struct spool_reader *reader)
{
    struct spool *spool = reader->spool;

    if (spool == NULL) {
        return;
    }
    release_lent(reader);
    pthread_mutex_lock(&spool->lock);
    list_remove(&reader->link);
    spool->reader_count--;
    let_go(spool);
    if (spool->reader_count == 0 && !spool->ended) {
        wake(&spool->writer); /* nobody reads any more: is it worth going on? */
    }
    pthread_mutex_unlock(&spool->lock);
    spool_unref(&reader->spool);
}

/* What the reader holds already covers its offset. */
static bool peek_lent(struct spool_reader *reader, struct span *out)
{
    if (reader->pin == NULL) {
        return false;
    }
    *out = span_skip(reader->lent, (size_t)(reader->offset - reader->lent_at));
    return out->len > 0;
}

static int peek_stored(struct spool_reader *reader, struct span *out)
{
    struct spool *spool = reader->spool;
    size_t group = (size_t)(reader->offset / STORE_CHUNK);

    pthread_mutex_lock(&spool->lock);
    struct store_chunk place = spool->places[group].chunk;
    pthread_mutex_unlock(&spool->lock);
    release_lent(reader);
    int err = store_lend(spool->store, &place, &reader->pin, &reader->lent);
    if (err) {
        return err; /* evicted or corrupt meanwhile: this reader cannot go on */
    }
    reader->lent_at = (uint64_t)group * STORE_CHUNK;
    return peek_lent(reader, out) ? 0 : ERR_CORRUPT;
}

/* Bytes from here on are in memory. */
static uint64_t memory_begin(const struct spool *spool)
{
    return spool->dropped < spool->count ? spool->chunks[spool->dropped]->start : spool->length;
}

int spool_reader_init(struct spool_reader *reader, struct spool *spool, uint64_t from, uint64_t to,
                      struct waker waker)
{
    struct span first;

    *reader = (struct spool_reader){.offset = from, .end = to, .waker = waker};
    list_init(&reader->link);
    pthread_mutex_lock(&spool->lock);
    uint64_t begin = memory_begin(spool);
    bool in_memory = from >= begin;
    /* Storing may have failed in between: then what the store has ends before memory begins. */
    bool gone = !in_memory && (uint64_t)spool->stored * STORE_CHUNK < begin;
    if (!gone) {
        list_push_back(&spool->readers, &reader->link);
        spool->reader_count++;
        spool->had_reader = true;
        reader->spool = spool_ref(spool);
    }
    pthread_mutex_unlock(&spool->lock);
    if (!gone && !in_memory && peek_stored(reader, &first) != 0) {
        spool_reader_fini(reader); /* evicted meanwhile: better told now than behind a head */
        gone = true;
    }
    return gone ? ERR_NOT_FOUND : 0;
}

/* 1: *out is set; 0: look at *err. Under the lock. */
static bool peek_memory(struct spool_reader *reader, struct span *out, bool *stored, int *err)
{
    struct spool *spool = reader->spool;

    *stored = false;
    if (reader->offset >= spool->length) {
        reader->waiting = !spool->ended;
        *err = spool->ended ? spool->err : ERR_AGAIN;
        return false;
    }
    struct chunk *chunk = chunk_at(spool, reader->offset);
    if (chunk == NULL) {
        *stored = is_stored(spool, reader->offset);
        *err = ERR_NOT_FOUND;
        return false;
    }
    if (chunk != reader->chunk) {
        release_lent(reader);
        reader->chunk = chunk_ref(chunk);
    }
    uint64_t end = chunk_end(chunk) < spool->length ? chunk_end(chunk) : spool->length;
    *out = span_of(chunk->data + (reader->offset - chunk->start), (size_t)(end - reader->offset));
    return true;
}

int spool_peek(struct spool_reader *reader, struct span *out)
{
    bool stored;
    int err = 0;

    *out = SPAN_EMPTY;
    if (reader->offset >= reader->end) {
        return 0;
    }
    if (!peek_lent(reader, out)) {
        pthread_mutex_lock(&reader->spool->lock);
        bool found = peek_memory(reader, out, &stored, &err);
        pthread_mutex_unlock(&reader->spool->lock);
        if (!found && stored) {
            err = peek_stored(reader, out);
            found = err == 0;
        }
        if (!found) {
            return err;
        }
    }
    uint64_t left = reader->end - reader->offset;
    *out = span_take(*out, left < out->len ? (size_t)left : out->len);
    return 0;
}

void spool_advance(struct spool_reader *reader, size_t n)
{
    struct spool *spool = reader->spool;

    pthread_mutex_lock(&spool->lock);
    reader->offset += n;
    CHECK(reader->offset <= spool->length);
    if (reader->chunk && reader->offset >= chunk_end(reader->chunk)) {
        chunk_unref(reader->chunk);
        reader->chunk = NULL;
    }
    let_go(spool);
    pthread_mutex_unlock(&spool->lock);
}
