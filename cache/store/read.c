/* read - reads from disk into memory, on threads of the store, for threads that must not wait. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/store/store_parts.h"

#include <errno.h>
#include <stdatomic.h>

/* If this many reads are queued, an object is not waited for: the origin is asked instead. */
enum { QUEUE_MAX = 1024 };

enum read_kind { READ_OBJECT, READ_CHUNK, READ_LENT };

struct store_read {
    struct io_job job;
    struct list link; /* while in progress: in its bucket */
    atomic_int refs;
    struct store *store;
    enum read_kind kind;
    uint64_t begun_us;
    struct list waiters; /* under the lock */
    atomic_bool done;

    /* what to read */
    uint8_t hash[STORE_HASH];
    char *key; /* owned */
    size_t key_len;
    struct store_chunk chunk; /* READ_LENT: only the segment */
    uint64_t offset;          /* READ_LENT: offset in the file */
    size_t len;

    /* the result; set before `done` */
    int err;
    struct found_object found;
    struct span bytes;
    void *copy;    /* owned */
    size_t memory; /* accounted */
};

void reads_init(struct reads *reads)
{
    io_init(&reads->io);
    CHECK(pthread_mutex_init(&reads->lock, NULL) == 0);
    for (size_t i = 0; i < READ_BUCKETS; i++) {
        list_init(&reads->under_way[i]);
    }
}

void reads_fini(struct reads *reads)
{
    io_fini(&reads->io);
    pthread_mutex_destroy(&reads->lock);
}

void store_stop_reads(struct store *store)
{
    io_stop(&store->reads.io);
}

/* ---- counted ---- */

struct store_read *store_read_ref(struct store_read *read)
{
    atomic_fetch_add_explicit(&read->refs, 1, memory_order_relaxed);
    return read;
}

void store_read_unref(struct store_read *read)
{
    if (read == NULL || atomic_fetch_sub_explicit(&read->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    store_object_done(read->store, &read->found.object);
    memory_give(MEMORY_BODIES, read->memory);
    free(read->copy);
    free(read->key);
    free(read);
}

/* ---- on a thread of the pool ---- */

static int run_object(struct store_read *read)
{
    struct store_object *object = &read->found.object;
    int err = find_object(read->store, read->hash, span_of(read->key, read->key_len), WALK_READ,
                          &read->found);

    if (!err) {
        uint64_t inline_len = object->chunk_count ? 0 : object->body_len;
        read->memory = object->head.len + (size_t)inline_len +
                       object->chunk_count * sizeof(struct store_chunk) + read->key_len;
    }
    return err;
}

static int run_chunk(struct store_read *read, struct segment *segment)
{
    int err = lookup_chunk(segment, &read->chunk, WALK_READ, &read->bytes, &read->copy);

    if (err) {
        read->copy = NULL;
        return err;
    }
    read->memory = read->bytes.len;
    return 0;
}

static int run_lent(struct store_read *read, const struct segment *segment)
{
    read->copy = xmalloc(read->len);
    read->memory = read->len;
    read->bytes = span_of(read->copy, read->len);
    return walk_pread(&segment->env, read->offset, read->copy, read->len);
}

static int run_pinned(struct store_read *read)
{
    struct segments *segments = &read->store->disk.segments;
    struct segment *segment;
    int err = find_segment(segments, read->chunk.segment, true, WALK_READ, &segment);

    if (err) {
        return err;
    }
    err = read->kind == READ_CHUNK ? run_chunk(read, segment) : run_lent(read, segment);
    segments_unpin(segments, segment);
    if (err == -EIO) {
        store_count_error(read->store);
    }
    return err;
}

/* Wakes the waiters. From here on no other thread can join the read. */
static void publish(struct store_read *read)
{
    struct reads *reads = &read->store->reads;

    memory_take(MEMORY_BODIES, read->memory);
    pthread_mutex_lock(&reads->lock);
    reads->count++;
    reads->bytes += read->memory;
    reads->errors += read->err != 0 && read->err != ERR_NOT_FOUND;
    reads->us += clock_mono_us() - read->begun_us;
    list_remove(&read->link);
    atomic_store_explicit(&read->done, true, memory_order_release);
    for (struct list *link; (link = list_pop_front(&read->waiters)) != NULL;) {
        struct store_waiter *waiter = list_entry(link, struct store_waiter, link);
        if (waiter->wake) {
            waiter->wake(waiter->arg);
        }
    }
    pthread_mutex_unlock(&reads->lock);
}

static void run(struct io_job *job, bool stopped)
{
    struct store_read *read = container_of(job, struct store_read, job);

    if (stopped) {
        read->err = ERR_CLOSED;
    } else {
        read->err = read->kind == READ_OBJECT ? run_object(read) : run_pinned(read);
    }
    publish(read);
    store_read_unref(read);
}

/* ---- requesting a read ---- */

static bool is_same(const struct store_read *a, const struct store_read *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case READ_OBJECT:
        return memcmp(a->hash, b->hash, STORE_HASH) == 0 && a->key_len == b->key_len &&
               memcmp(a->key, b->key, a->key_len) == 0;
    case READ_CHUNK:
        return a->chunk.segment == b->chunk.segment && a->chunk.number == b->chunk.number;
    case READ_LENT:
        return a->chunk.segment == b->chunk.segment && a->offset == b->offset && a->len == b->len;
    }
    UNREACHABLE();
}

static struct list *bucket_of(struct reads *reads, const struct store_read *read)
{
    size_t number = read->hash[0];

    if (read->kind != READ_OBJECT) {
        number = read->chunk.segment * 7 + read->chunk.number + (size_t)(read->offset >> 12);
    }
    return &reads->under_way[number % READ_BUCKETS];
}

/* The same read in progress, with a reference, or NULL. Under the lock. */
static struct store_read *find_same(struct reads *reads, const struct store_read *wanted)
{
    list_each(link, bucket_of(reads, wanted))
    {
        struct store_read *read = list_entry(link, struct store_read, link);
        if (is_same(read, wanted)) {
            reads->shared++;
            return store_read_ref(read);
        }
    }
    return NULL;
}

/* Begins a read, or joins one in progress; takes over `wanted`. */
static void ask(struct store *store, const struct store_read *wanted, struct store_waiter *waiter)
{
    struct reads *reads = &store->reads;
    struct store_read *fresh = NULL;

    CHECK(waiter->read == NULL);
    list_init(&waiter->link);
    pthread_mutex_lock(&reads->lock);
    waiter->read = find_same(reads, wanted);
    if (waiter->read == NULL) {
        fresh = xmalloc(sizeof(*fresh));
        *fresh = *wanted;
        fresh->store = store;
        fresh->begun_us = clock_mono_us();
        atomic_init(&fresh->refs, 2); /* for the job and for the waiter */
        list_init(&fresh->waiters);
        list_push_back(bucket_of(reads, fresh), &fresh->link);
        waiter->read = fresh;
    } else {
        free(wanted->key);
    }
    list_push_back(&waiter->read->waiters, &waiter->link);
    pthread_mutex_unlock(&reads->lock);
    if (fresh) {
        io_post(&reads->io, &fresh->job);
    }
}

static bool is_overrun(struct reads *reads)
{
    if (io_queued(&reads->io) < QUEUE_MAX) {
        return false;
    }
    pthread_mutex_lock(&reads->lock);
    reads->refused++;
    pthread_mutex_unlock(&reads->lock);
    return true;
}

bool store_read_object(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                       bool anyway, struct store_waiter *waiter)
{
    if (!anyway && is_overrun(&store->reads)) {
        return false;
    }
    struct store_read wanted = {
        .job.run = run,
        .kind = READ_OBJECT,
        .key = xspandup(key),
        .key_len = key.len,
    };

    memcpy(wanted.hash, hash, STORE_HASH);
    ask(store, &wanted, waiter);
    return true;
}

void store_read_chunk(struct store *store, const struct store_chunk *chunk,
                      struct store_waiter *waiter)
{
    ask(store, &(struct store_read){.job.run = run, .kind = READ_CHUNK, .chunk = *chunk}, waiter);
}

void store_read_lent(struct store *store, struct store_pin *pin, struct span lent,
                     struct store_waiter *waiter)
{
    CHECK(lent.len <= STORE_CHUNK);
    ask(store,
        &(struct store_read){
            .job.run = run,
            .kind = READ_LENT,
            .chunk.segment = segment_of_pin(pin)->id,
            .offset = store_place(pin, lent).offset,
            .len = lent.len,
        },
        waiter);
}

/* ---- using the result ---- */

bool store_read_is_done(const struct store_read *read)
{
    return atomic_load_explicit(&read->done, memory_order_acquire);
}

bool store_read_is_of(const struct store_read *read, const uint8_t hash[STORE_HASH],
                      struct span key)
{
    return read->kind == READ_OBJECT && memcmp(read->hash, hash, STORE_HASH) == 0 &&
           span_eq(span_of(read->key, read->key_len), key);
}

int store_read_bytes(const struct store_read *read, struct span *out)
{
    CHECK(store_read_is_done(read));
    *out = read->err ? SPAN_EMPTY : read->bytes;
    return read->err;
}

int read_object_result(const struct store_read *read, const struct found_object **out)
{
    CHECK(read->kind == READ_OBJECT);
    *out = &read->found;
    return read->err;
}

void store_read_leave(struct store_waiter *waiter)
{
    struct store_read *read = waiter->read;

    if (read == NULL) {
        return;
    }
    pthread_mutex_lock(&read->store->reads.lock);
    list_remove(&waiter->link);
    pthread_mutex_unlock(&read->store->reads.lock);
    waiter->read = NULL;
    store_read_unref(read);
}
