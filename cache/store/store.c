#include "cache/store/store.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/store/crashes.h"
#include "cache/store/lookup.h"
#include "cache/store/remedy.h"
#include "cache/store/store_parts.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#define STORE_SIZE_MIN (UINT64_C(16) << 20)
#define BEHIND_MIN                                                                                 \
    (UINT64_C(8) << 20) /* fewer queued bytes are written before a waiter checks again */

/* ---- errors ---- */

#define ERRORS_WINDOW_MS 60000

static unsigned errors_of_late(const struct store *store)
{
    uint64_t window = atomic_load(&store->window);

    return clock_mono_ms() - window < ERRORS_WINDOW_MS ? atomic_load(&store->in_window) : 0;
}

void store_count_error(struct store *store)
{
    uint64_t window = atomic_load(&store->window), now = clock_mono_ms();

    if (now - window >= ERRORS_WINDOW_MS &&
        atomic_compare_exchange_strong(&store->window, &window, now)) {
        atomic_store(&store->in_window, 0);
    }
    atomic_fetch_add(&store->in_window, 1);
    atomic_fetch_add(&store->unreadable, 1);
    writer_reap(&store->writer); /* the writer removes the condemned segment */
}

/* Counts read errors of evictions. */
static void count_evictions_errors(struct store *store)
{
    for (; store->disk.unreadable > 0; store->disk.unreadable--) {
        store_count_error(store);
    }
}

static void on_batch(void *arg, int err)
{
    struct store *store = arg;

    count_evictions_errors(store);
    struct store_trouble trouble = {
        .lost = writer_state(&store->writer) == WRITER_LOST,
        .commits =
            err ? store->writer.failures : 0, /* a commit that succeeds is no reason to give up */
        .reads = errors_of_late(store),
        .err = err,
    };

    crashes_outlived(store->disk.crash_mark);
    if (store->on_trouble && (trouble.lost || trouble.commits || trouble.reads)) {
        store->on_trouble(store->arg, &trouble);
    }
}

void store_retire(struct store *store)
{
    writer_retire(&store->writer);
}

/* ---- life ---- */

int store_open(const struct store_options *options, struct store **out)
{
    *out = NULL;
    if (options->size < STORE_SIZE_MIN) {
        log_error("store_open", "dir=%s size=%llu err=%s", options->path,
                  (unsigned long long)options->size, "at least 16MiB are needed");
        return -EINVAL;
    }
    struct store *store = xcalloc(1, sizeof(*store));
    store->dirty_limit = options->dirty_limit;
    store->on_trouble = options->on_trouble;
    store->arg = options->arg;
    writer_init(&store->writer, &store->disk);
    reads_init(&store->reads);
    tours_init(&store->tours);
    store->writer.on_batch = on_batch;
    store->writer.on_batch_arg = store;
    crashes_install(); /* first, so that faults outside guards are counted */
    guard_install();
    int err = disk_open(&store->disk, options, writer_reap, &store->writer);
    if (!err) {
        err = writer_start(&store->writer, options->dirty_limit);
    }
    if (err) {
        log_error("store_open", "dir=%s err=%s next=%s", options->path, err_text(err),
                  remedy_for(err));
        store_close(&store);
    }
    *out = store;
    return err;
}

void store_close(struct store **slot)
{
    struct store *store = *slot;

    *slot = NULL;
    if (store) {
        tours_stop(&store->tours);
        tours_fini(&store->tours);
        store_stop_reads(store);
        reads_fini(&store->reads);
        writer_stop(&store->writer);
        if (writer_state(&store->writer) == WRITER_LOST) {
            crashes_close(store->disk.crash_mark);
            close(store->disk.dir); /* gives up the lock; the files stay as they are */
            guard_bury(store);
            return;
        }
        disk_close(&store->disk);
        writer_fini(&store->writer);
        free(store);
    }
}

const struct sip_key *store_secret(const struct store *store)
{
    return &store->disk.index->secret;
}

void store_uuid(const struct store *store, uint8_t out[16])
{
    memcpy(out, store->disk.segments.home.uuid, sizeof(store->disk.segments.home.uuid));
}

/* ---- writing ---- */

static bool is_dirty(const struct store *store, uint64_t limit)
{
    return atomic_load_explicit(&store->writer.dirty, memory_order_relaxed) > limit;
}

int store_put_begin_anyway(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                           struct store_put **out)
{
    *out = NULL;
    if (key.len > STORE_KEY_MAX) {
        return ERR_TOO_LARGE;
    }
    if (is_dirty(store, 2 * store->dirty_limit)) {
        return ERR_BUSY; /* the disk does not answer */
    }
    int err = writer_health(&store->writer);
    if (!err) {
        *out = store_put_new(store, hash, key);
    }
    return err;
}

int store_put_begin(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                    struct store_put **out)
{
    *out = NULL;
    if (is_dirty(store, store->dirty_limit)) {
        return ERR_BUSY;
    }
    return store_put_begin_anyway(store, hash, key, out);
}

bool store_is_behind(const struct store *store)
{
    uint64_t half = store->dirty_limit / 2;

    return is_dirty(store, half > BEHIND_MIN ? half : BEHIND_MIN);
}

void store_put_chunk(struct store_put *put, const struct store_piece *pieces, size_t count,
                     void (*done)(void *arg, int err, const struct store_chunk *chunk), void *arg)
{
    struct op *op = op_new(OP_CHUNK, pieces, count);

    CHECK(op->body_len > 0 && op->body_len <= STORE_CHUNK && !put->ended_short);
    put->ended_short = op->body_len < STORE_CHUNK;
    op->put = put;
    memcpy(op->hash, put->hash, STORE_HASH); /* the caller may rename the put meanwhile */
    op->chunk_done = done;
    op->arg = arg;
    writer_post(&put->store->writer, op);
}

/* NOLINTNEXTLINE(readability-function-size): bytes by their place and length, and who is told */
void store_put_finish(struct store_put *put, struct span head, const void *meta, size_t meta_len,
                      uint64_t body_len, const struct store_piece *pieces, size_t count,
                      void (*done)(void *arg, int err), void *arg)
{
    struct op *op = op_new(OP_FINISH, pieces, count);

    op->put = put;
    op->cost += sizeof(*put) + put->key.len;
    memcpy(op->hash, put->hash, STORE_HASH);
    op->body_len = body_len;
    op->done = done;
    op->arg = arg;
    op_set_text(op, SPAN_EMPTY, head);
    op_set_meta(op, meta, meta_len);
    writer_post(&put->store->writer, op);
}

void store_put_abort(struct store_put *put)
{
    struct op *op = op_new(OP_ABORT, NULL, 0);

    op->put = put;
    writer_post(&put->store->writer, op);
}

void store_put_unmeasured(struct store_put *put)
{
    put->unmeasured = true;
}

void store_put_fail(struct store_put *put)
{
    store_drop(put->store, put->hash, NULL, NULL);
    store_put_abort(put);
}

/* Hash and key belong to the caller until the end is posted, so they can be changed here. */
void store_put_rename(struct store_put *put, const uint8_t hash[STORE_HASH], struct span key)
{
    CHECK(key.len <= STORE_KEY_MAX);
    store_put_set_key(put, hash, key);
}

/* NOLINTNEXTLINE(readability-function-size): bytes by their place and length, and who is told */
void store_update(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                  struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg)
{
    struct op *op = op_new(OP_UPDATE, NULL, 0);

    memcpy(op->hash, hash, STORE_HASH);
    op->done = done;
    op->arg = arg;
    op_set_text(op, key, head);
    op_set_meta(op, meta, meta_len);
    writer_post(&store->writer, op);
}

/* Is nothing stored under the key, nor queued? The queue is checked first: if a queued object is
 * committed in between, the index has it. */
static bool has_nothing(struct store *store, const uint8_t hash[STORE_HASH])
{
    struct location location;
    uint64_t commit;

    return writer_state(&store->writer) == WRITER_WRITES &&
           !writer_may_bring(&store->writer, hash) && !drops_may_have(&store->writer.drops, hash) &&
           lookup_location(store->disk.index, hash, WALK_NOW, &location, &commit) == ERR_NOT_FOUND;
}

void store_drop(struct store *store, const uint8_t hash[STORE_HASH],
                void (*done)(void *arg, int err), void *arg)
{
    if (done == NULL && has_nothing(store, hash)) {
        return; /* a flush would only commit what is queued */
    }
    struct op *op = op_new(OP_DROP, NULL, 0);

    memcpy(op->hash, hash, STORE_HASH);
    op->done = done;
    op->arg = arg;
    writer_post(&store->writer, op);
}

void store_hurry(struct store *store)
{
    writer_hurry(&store->writer);
}

struct flush {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
};

static void on_flushed(void *arg, int err)
{
    struct flush *flush = arg;

    (void)err; /* each earlier operation has reported its own result */
    pthread_mutex_lock(&flush->lock);
    flush->done = true;
    pthread_cond_signal(&flush->ended);
    pthread_mutex_unlock(&flush->lock);
}

void store_flush(struct store *store)
{
    struct flush flush = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    struct op *op = op_new(OP_FLUSH, NULL, 0);

    op->done = on_flushed;
    op->arg = &flush;
    writer_post(&store->writer, op);
    pthread_mutex_lock(&flush.lock);
    while (!flush.done) {
        pthread_cond_wait(&flush.ended, &flush.lock);
    }
    pthread_mutex_unlock(&flush.lock);
    pthread_mutex_destroy(&flush.lock);
    pthread_cond_destroy(&flush.ended);
}

int store_health(const struct store *store)
{
    return writer_health(&store->writer);
}

static void add_read_stats(struct reads *reads, struct store_stats *out)
{
    out->reads_waiting = io_queued(&reads->io);
    pthread_mutex_lock(&reads->lock);
    out->reads = reads->count;
    out->read_bytes = reads->bytes;
    out->read_errors = reads->errors;
    out->reads_shared = reads->shared;
    out->reads_refused = reads->refused;
    out->read_us = reads->us;
    pthread_mutex_unlock(&reads->lock);
}

void store_stats(struct store *store, struct store_stats *out)
{
    struct disk *disk = &store->disk;
    struct disk_counters *counters = &disk->counters;

    *out = (struct store_stats){
        .size = disk->size,
        .used = atomic_load(&counters->used),
        .objects = atomic_load(&counters->objects),
        .segments = atomic_load(&counters->segments),
        .dirty = atomic_load(&store->writer.dirty),
        .deletions = writer_deletions(&store->writer),
        .written_bytes = atomic_load(&counters->written_bytes),
        .written_objects = atomic_load(&counters->written_objects),
        .commits = atomic_load(&counters->commits),
        .commit_errors = atomic_load(&counters->commit_errors),
        .evicted_segments = atomic_load(&counters->evicted_segments),
        .corrupt = atomic_load(&counters->corrupt),
        .unreadable = atomic_load(&store->unreadable),
        .kept_objects = atomic_load(&counters->kept_objects),
        .kept_bytes = atomic_load(&counters->kept_bytes),
        .recycled_segments = atomic_load(&counters->recycled_segments),
    };
    for (unsigned i = 0; i < ENV_LANES; i++) {
        out->stored_finds += atomic_load(&store->finds[i].found);
        out->missed_finds += atomic_load(&store->finds[i].missed);
    }
    add_read_stats(&store->reads, out);
}
