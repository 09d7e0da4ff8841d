#include "cache/store/writer.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cache/store/crashes.h"
#include "cache/store/evict.h"
#include "cache/store/refused.h"
#include "cache/store/remedy.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/statvfs.h>
#include <time.h>

#define BATCH_BYTES_MAX (16u << 20)
#define BATCH_BYTES_MIN (1u << 20)
#define INDEX_PAGE 4096u
#define PLENTY_MIN (64u << 10)

/* After a failed commit nothing is accepted for one second, after the next for two, and so on. */
#define BACKOFF_MIN_MS 1000u
#define BACKOFF_DOUBLINGS 6

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* ---- the queue ---- */

static bool is_urgent(const struct op *op)
{
    return op->kind == OP_FLUSH || op->kind == OP_DROP;
}

/* Are so many bytes queued that further operations would soon be refused? */
static bool has_plenty(const struct writer *writer)
{
    return !list_empty(&writer->queue) &&
           atomic_load_explicit(&writer->dirty, memory_order_relaxed) >= writer->plenty;
}

static bool is_due(const struct writer *writer)
{
    return writer->stop || writer->reap || writer->hurry || writer->urgent > 0 ||
           writer->queued_bytes >= writer->batch_bytes || writer->queued_ops >= WRITER_BATCH_OPS ||
           has_plenty(writer);
}

static size_t hint_of(const uint8_t hash[STORE_HASH])
{
    uint16_t bits;

    memcpy(&bits, hash, sizeof(bits));
    return bits % WRITER_HINTS;
}

static bool brings(const struct op *op)
{
    return op->kind == OP_FINISH || op->kind == OP_UPDATE;
}

/* Memory that a commit needs for it: LMDB copies each page that it changes. */
static uint64_t batch_cost(const struct op *op)
{
    bool has_record = op->kind != OP_CHUNK && op->kind != OP_ABORT && op->kind != OP_FLUSH;

    return op->cost + (has_record ? INDEX_PAGE : 0);
}

bool writer_may_bring(const struct writer *writer, const uint8_t hash[STORE_HASH])
{
    return atomic_load(&writer->bringing[hint_of(hash)]) > 0;
}

bool writer_is_dropping(struct writer *writer, const uint8_t hash[STORE_HASH])
{
    if (!drops_may_have(&writer->drops, hash)) {
        return false;
    }
    pthread_mutex_lock(&writer->lock);
    bool found = drops_has(&writer->drops, hash);
    pthread_mutex_unlock(&writer->lock);
    return found;
}

size_t writer_deletions(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    size_t count = writer->drops.entries.count;
    pthread_mutex_unlock(&writer->lock);
    return count;
}

void writer_post(struct writer *writer, struct op *op)
{
    atomic_fetch_add_explicit(&writer->dirty, op->cost, memory_order_relaxed);
    if (brings(op)) {
        atomic_fetch_add(&writer->bringing[hint_of(op->hash)], 1);
    }
    pthread_mutex_lock(&writer->lock);
    bool was_empty = list_empty(&writer->queue);
    if (was_empty) {
        writer->first_ms = clock_mono_ms();
    }
    list_push_back(&writer->queue, &op->link);
    writer->queued_bytes += batch_cost(op);
    writer->queued_ops++;
    writer->urgent += is_urgent(op);
    if (op->kind == OP_DROP) {
        drops_begin(&writer->drops, op->hash);
    }
    if (was_empty || is_due(writer)) {
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&writer->lock);
}

void writer_hurry(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->hurry = !list_empty(&writer->queue);
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
}

void writer_reap(void *arg)
{
    struct writer *writer = arg;

    pthread_mutex_lock(&writer->lock);
    writer->reap = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
}

/* Takes the front of the queue, up to the limits of a batch. */
static void take_queued(struct writer *writer, struct list *batch)
{
    uint64_t bytes = 0;
    size_t ops = 0, refused = 0;

    while (!list_empty(&writer->queue) && bytes < writer->batch_bytes &&
           refused + ops < WRITER_BATCH_OPS) {
        struct op *op = list_entry(list_pop_front(&writer->queue), struct op, link);
        bytes += batch_cost(op);
        ops++;
        writer->urgent -= is_urgent(op);
        list_push_back(batch, &op->link);
        refused += refused_take_of(writer, op, batch);
    }
    writer->queued_bytes -= bytes;
    writer->queued_ops -= ops;
    writer->hurry = false;
}

/* Refused deletions form a batch of their own, before queued operations, because a full disk may
 * allow deletions only. True: it is such a batch. Under the lock. */
static bool take_batch(struct writer *writer, struct list *batch)
{
    bool again = refused_is_due(writer);

    if (again) {
        refused_take(writer, batch);
    } else {
        take_queued(writer, batch);
    }
    writer->reap = false;
    return again;
}

static struct timespec timespec_of(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Opens files of an earlier run while there is nothing else to do, newest first: a cold one takes
 * tens of milliseconds, for which no event loop should wait. Releases the lock meanwhile. */
static bool open_ahead(struct writer *writer)
{
    struct segments *segments = &writer->disk->segments;

    if (writer_state(writer) != WRITER_WRITES) {
        return false;
    }
    pthread_mutex_unlock(&writer->lock);
    struct segment *unopened = segments_newest_unopened(segments);
    struct segment *pinned = unopened ? segments_pin(segments, unopened->id) : NULL;
    if (pinned) {
        segments_unpin(segments, pinned);
    }
    pthread_mutex_lock(&writer->lock);
    return pinned != NULL;
}

/* When the next batch is due; UINT64_MAX: nothing is queued. */
static uint64_t deadline(const struct writer *writer)
{
    if (!list_empty(&writer->queue)) {
        return writer->first_ms + WRITER_DELAY_MS;
    }
    if (list_empty(&writer->drops.refused)) {
        return UINT64_MAX;
    }
    return writer_state(writer) == WRITER_WRITES ? atomic_load(&writer->retry_at) : 0;
}

/* Waits for something to do. A crash of the last run is forgotten when this one has outlived its
 * first minute, even if it only reads. Releases the lock meanwhile. */
static void wait_idle(struct writer *writer)
{
    int mark = writer->disk->crash_mark;
    uint64_t due = crashes_due(mark);

    if (due == UINT64_MAX) {
        pthread_cond_wait(&writer->wake, &writer->lock);
        return;
    }
    struct timespec until = timespec_of(due);
    if (pthread_cond_timedwait(&writer->wake, &writer->lock, &until) == ETIMEDOUT) {
        pthread_mutex_unlock(&writer->lock);
        crashes_outlived(mark);
        pthread_mutex_lock(&writer->lock);
    }
}

/* Waits until a batch is due. Under the lock. */
static void wait_for_batch(struct writer *writer)
{
    while (!is_due(writer)) {
        uint64_t due = deadline(writer);
        if (due == UINT64_MAX) {
            if (!open_ahead(writer) && deadline(writer) == UINT64_MAX && !is_due(writer)) {
                wait_idle(writer);
            }
            continue;
        }
        struct timespec until = timespec_of(due);
        if (pthread_cond_timedwait(&writer->wake, &writer->lock, &until) == ETIMEDOUT) {
            return;
        }
    }
}

/* ---- the thread ---- */

static bool is_disk_full(const struct disk *disk, int err)
{
    struct statvfs fs;

    if (err == -ENOSPC || err == -EDQUOT) {
        return true;
    }
    return fstatvfs(disk->dir, &fs) == 0 &&
           (uint64_t)fs.f_bavail * fs.f_frsize < disk->segments.segment_size;
}

/* Is the error caused by a lack of descriptors, memory, or room that readers hold, and not by the
 * disk? */
static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == ERR_FULL;
}

/* Deletions are tried during the pause, too; their failure does not prolong it. */
static void on_failure(struct writer *writer, int err)
{
    struct disk *disk = writer->disk;
    unsigned doublings =
        writer->failures < BACKOFF_DOUBLINGS ? writer->failures : BACKOFF_DOUBLINGS;
    unsigned pause = BACKOFF_MIN_MS << doublings;

    if (writer_health(writer) != 0) {
        return;
    }
    writer->failures += !is_shortage(err);
    atomic_store(&writer->retry_at, clock_mono_ms() + pause);
    log_error("store_commit_failed", "dir=%s err=%s failures=%u pause_ms=%u next=%s",
              disk->segments.home.dir, err_text(err), writer->failures, pause, remedy_for(err));
    if (is_disk_full(disk, err)) {
        evict_one(disk); /* other files have filled the disk, so the store has to shrink */
    }
}

static void end_one(struct writer *writer, struct op *op, bool failed)
{
    refused_end(writer, op, failed);
    if (brings(op)) { /* the object is in the index by now, or its record is hidden */
        atomic_fetch_sub(&writer->bringing[hint_of(op->hash)], 1);
    }
    /* first, because `done` may make the caller read the gauge or put the next object */
    atomic_fetch_sub_explicit(&writer->dirty, op->cost, memory_order_relaxed);
    op_end(op);
}

/* A guarded call, and whether it has returned. */
struct work {
    int (*call)(void *arg);
    void *arg;
    volatile bool *returned;
};

static int call_work(void *arg)
{
    struct work *work = arg;
    int err = work->call(work->arg);

    *work->returned = true;
    return err;
}

struct writing {
    struct writer *writer;
    struct list *batch;
    bool wrote;
};

static int call_write(void *arg)
{
    struct writing *writing = arg;
    struct disk *disk = writing->writer->disk;
    int err = batch_write(disk, writing->batch, &writing->wrote);

    if (err) {
        on_failure(writing->writer, err);
    }
    disk_update_gauges(disk);
    return err;
}

static void give_up(struct writer *writer, int err)
{
    atomic_store(&writer->state, WRITER_LOST);
    log_error("store_lost", "dir=%s err=%s next=%s", writer->disk->segments.home.dir,
              err == -EIO ? "a page of it cannot be read" : "LMDB found it damaged",
              "nothing is stored there any more");
}

/* Runs a call that uses the disk under a guard. If the guard leaves it by a jump, the disk is given
 * up. */
static int work(struct writer *writer, int (*call)(void *arg), void *arg)
{
    volatile bool returned = false;
    struct work work = {call, arg, &returned};

    if (writer_state(writer) != WRITER_WRITES) {
        return ERR_IO;
    }
    int err = guard_work(call_work, &work);
    if (!returned) {
        give_up(writer, err);
    }
    return err;
}

/* `again`: the batch has refused deletions. */
static int write_batch(struct writer *writer, struct list *batch, bool again)
{
    struct writing writing = {.writer = writer, .batch = batch};
    int err = work(writer, call_write, &writing);

    if (writer_state(writer) != WRITER_WRITES) {
        batch_fail(batch, ERR_IO);
    } else if (!err && writer->failures && writing.wrote &&
               !again) { /* it has accepted something new */
        writer->failures = 0;
        log_info("store_recovered", "dir=%s", writer->disk->segments.home.dir);
    }
    if (writer->on_batch) {
        writer->on_batch(writer->on_batch_arg, err);
    }
    uint64_t freed = 0; /* freed by LMDB, except pages of the index */
    while (!list_empty(batch)) {
        struct op *op = list_entry(list_pop_front(batch), struct op, link);
        freed += op->cost;
        end_one(writer, op, err != 0);
    }
    memory_freed(freed);
    return err;
}

static int call_close(void *arg)
{
    struct writer *writer = arg;

    batch_close(writer->disk);
    return 0;
}

static void *run(void *arg)
{
    struct writer *writer = arg;

    pthread_mutex_lock(&writer->lock);
    while (!writer->stop || !list_empty(&writer->queue) || refused_is_due(writer)) {
        struct list batch;
        list_init(&batch);
        wait_for_batch(writer);
        bool again = take_batch(writer, &batch);
        pthread_mutex_unlock(&writer->lock);
        int err = write_batch(writer, &batch, again);
        pthread_mutex_lock(&writer->lock);
        writer->last_tries += writer->stop && again && err;
    }
    refused_leave(writer);
    pthread_mutex_unlock(&writer->lock);
    work(writer, call_close, writer);
    return NULL;
}

void writer_init(struct writer *writer, struct disk *disk)
{
    pthread_condattr_t attr;

    *writer = (struct writer){.disk = disk};
    list_init(&writer->queue);
    drops_init(&writer->drops);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &attr);
    pthread_condattr_destroy(&attr);
}

void writer_fini(struct writer *writer)
{
    CHECK(!writer->running && list_empty(&writer->queue));
    drops_fini(&writer->drops);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
}

int writer_start(struct writer *writer, uint64_t dirty_limit)
{
    uint64_t size = writer->disk->size;

    writer->batch_bytes = clamp(size / 16, BATCH_BYTES_MIN, BATCH_BYTES_MAX);
    writer->plenty = dirty_limit / 2 > PLENTY_MIN ? dirty_limit / 2 : PLENTY_MIN;
    int err = thread_start(&writer->thread, "store-writer", run, writer);
    writer->running = err == 0;
    return err;
}

void writer_stop(struct writer *writer)
{
    if (!writer->running) {
        return;
    }
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    writer->running = false;
}

/* Forgets refused deletions: this store will not be read any more. */
void writer_retire(struct writer *writer)
{
    int writes = WRITER_WRITES;

    atomic_compare_exchange_strong(&writer->state, &writes, WRITER_RETIRED);
}

enum writer_state writer_state(const struct writer *writer)
{
    return (enum writer_state)atomic_load_explicit(&writer->state, memory_order_relaxed);
}

int writer_health(const struct writer *writer)
{
    if (writer_state(writer) != WRITER_WRITES) {
        return ERR_IO;
    }
    uint64_t retry_at = atomic_load_explicit(&writer->retry_at, memory_order_relaxed);

    return retry_at == 0 || clock_mono_ms() >= retry_at ? 0 : ERR_IO;
}
