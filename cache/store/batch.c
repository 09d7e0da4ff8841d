#include "cache/store/batch.h"

#include "base/clock.h"
#include "base/err.h"
#include "cache/store/evict.h"
#include "cache/store/uses.h"

#include <stdatomic.h>

/* Dead records deleted in one commit, at least. They must be deleted faster than new ones appear,
 * or the index would grow without limit. */
#define SWEEP_MIN 64
#define SWEEP_PER_OP 4

/* ---- what a commit holds ---- */

static bool writes(const struct op *op)
{
    return op->kind != OP_ABORT && op->kind != OP_FLUSH;
}

/* Does it need room in a segment? */
static bool appends(const struct op *op)
{
    return op->kind == OP_CHUNK || op->kind == OP_FINISH || op->kind == OP_UPDATE;
}

/* Makes room and applies all operations. Room is made only for operations that need it: deletions
 * must not fail because an eviction has no room for its copies. Use counts alone are no reason for
 * a commit, nor a proof that the disk accepts what is new. */
static int apply_all(struct disk *disk, struct list *ops)
{
    unsigned count = 0;
    uint64_t bytes = 0;

    list_each(link, ops)
    {
        struct op *op = list_entry(link, struct op, link);
        op->err = 0;
        int err = op_apply(disk, op);
        if (err) {
            return err;
        }
        count += writes(op);
        bytes += appends(op) ? op->cost : 0;
    }
    if (count == 0) {
        return 0;
    }
    int err = bytes ? evict_ahead(disk, bytes) : 0;
    if (!err) {
        err = evict_sweep(disk, SWEEP_MIN + SWEEP_PER_OP * count);
    }
    return err ? err : uses_save(disk);
}

/* Adds segments to the index again that a failed attempt has created. */
static int relist(struct disk *disk)
{
    int err = 0;

    for (enum s3_log log = 0; log < S3_LOGS && !err; log++) {
        struct segment *open = disk->open[log];
        err = open && !open->listed ? disk_list(disk, open) : 0;
    }
    return err;
}

static int commit_segments(struct disk *disk)
{
    int err = 0;

    for (enum s3_log log = 0; log < S3_LOGS && !err; log++) {
        err = disk->open[log] ? segment_commit(disk->open[log]) : 0;
    }
    return err;
}

static void abort_segments(struct disk *disk)
{
    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        if (disk->open[log]) {
            segment_abort(disk->open[log]);
        }
    }
}

/* Everything between beginning the index transaction and the commit. */
static int fill(struct disk *disk, struct list *ops)
{
    evict_reap(disk);
    int err = relist(disk);

    if (!err) {
        err = evict_trim(disk);
    }
    if (!err) {
        err = disk_prune(disk);
    }
    return err ? err : apply_all(disk, ops);
}

/* ---- an attempt ---- */

static int begin(struct disk *disk)
{
    int err = disk_check(disk);

    if (!err) {
        err = index_begin(disk->index);
    }
    if (err && disk->index->given_up) {
        err = disk_reopen_index(disk);
        if (!err) {
            err = index_begin(disk->index);
        }
    }
    return err;
}

/* From now on the segment can be read without LMDB. A segment that no commit has listed has no
 * readers. */
static void close_segment(struct disk *disk, enum s3_log log)
{
    struct segment *segment = disk->open[log];

    if (segment) {
        segment_seal(segment);
        disk->open[log] = NULL;
        if (!segment->listed) {
            evict_discard(disk, segment);
        }
    }
}

/* At once, as nothing in the segment could be found until the next batch. */
static void rescue_readers(struct disk *disk)
{
    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        if (disk->open[log] && env_is_given_up(&disk->open[log]->env)) {
            close_segment(disk, log);
        }
    }
    if (disk->index->given_up) {
        disk_reopen_index(disk);
    }
}

static int attempt(struct disk *disk, struct list *ops)
{
    int err = begin(disk);

    if (err) {
        return err;
    }
    struct eviction before = disk->eviction;
    err = fill(disk, ops);
    if (!err && disk->index->is_unsound) {
        err = ERR_CORRUPT; /* not all steps of an operation pass it on */
    }
    if (!err) {
        err = commit_segments(disk);
    }
    if (!err) {
        err = index_commit(disk->index);
    }
    if (err) {
        abort_segments(disk);
        evict_restore(disk, &before); /* the copies made by the eviction are lost with the batch */
    }
    index_abort(disk->index);
    if (err) {
        rescue_readers(disk);
    }
    return err;
}

/* ---- its outcome ---- */

/* Removes the chunks that a failed attempt has added from their puts. */
static void rewind_puts(struct list *ops)
{
    list_each(link, ops)
    {
        struct op *op = list_entry(link, struct op, link);
        if (op->put) {
            op->put->count = op->put->committed;
            if (op->put->count == 0) {
                list_remove(&op->put->link);
            }
        }
    }
}

void batch_fail(struct list *ops, int err)
{
    list_each(link, ops)
    {
        struct op *op = list_entry(link, struct op, link);
        op->err = err;
        if (op->put && !op->put->err) {
            op->put->err = err;
        }
    }
}

/* Does the operation end a put whose object will not be stored? Then its chunks are dead bytes. */
static bool wastes(const struct op *op)
{
    return op->kind == OP_ABORT || (op->kind == OP_FINISH && op->err);
}

static void count_waste(struct disk *disk, const struct store_put *put)
{
    for (size_t i = 0; i < put->count; i++) {
        struct segment *segment = segments_slot(&disk->segments, put->chunks[i].segment);
        if (segment_is_live(segment, put->chunks[i].segment)) {
            segment->dead += put->chunks[i].len;
        }
    }
}

static void account_all(struct disk *disk, struct list *ops)
{
    uint64_t bytes = disk->eviction.kept;

    disk->pruned = true;
    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        if (disk->open[log]) {
            disk->open[log]->listed = true;
        }
    }
    atomic_fetch_add_explicit(&disk->counters.kept_bytes, disk->eviction.kept,
                              memory_order_relaxed);
    list_each(link, ops)
    {
        const struct op *op = list_entry(link, struct op, link);
        if (op->put) {
            op->put->committed = op->put->count;
            if (wastes(op)) {
                count_waste(disk, op->put);
            }
        }
        if (writes(op) && !op->err) {
            atomic_fetch_add_explicit(&disk->counters.written_bytes, op->cost,
                                      memory_order_relaxed);
            bytes += op->cost;
        }
        if (op->kind == OP_FINISH && !op->err) {
            atomic_fetch_add_explicit(&disk->counters.written_objects, 1, memory_order_relaxed);
        }
    }
    meter_add(&disk->counters.written, bytes, clock_mono_ms() / 1000);
}

/* A number that changes with every commit that has written something: a new segment changes the
 * index, too. */
static uint64_t commit_mark(const struct disk *disk)
{
    uint64_t segments = 0;

    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        segments += disk->open[log] ? env_commits(&disk->open[log]->env) : 0;
    }
    return env_commits(&disk->index->env) << 32 | (uint32_t)segments;
}

/* Closes segments that cannot be written to. True: there were some. */
static bool close_spoiled(struct disk *disk)
{
    bool any = false;

    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        if (disk->spoiled[log]) {
            disk->spoiled[log] = false;
            close_segment(disk, log);
            any = true;
        }
    }
    return any;
}

/* Gives up a damaged index, and with it all segments. True: it was damaged. */
static bool lose_unsound_index(struct disk *disk)
{
    if (!disk->index->is_unsound || disk->damaged) {
        return false;
    }
    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        close_segment(disk, log);
    }
    disk_lose_index(disk);
    return true;
}

int batch_write(struct disk *disk, struct list *ops, bool *wrote)
{
    uint64_t before = commit_mark(disk);

    *wrote = false;
    int err = attempt(disk, ops);

    bool is_mended = close_spoiled(disk);
    is_mended |= lose_unsound_index(disk);
    if (is_mended && err) {
        rewind_puts(ops);
        err = attempt(disk, ops);
    }
    if (err) {
        atomic_fetch_add_explicit(&disk->counters.commit_errors, 1, memory_order_relaxed);
        rewind_puts(ops);
        batch_fail(ops, err);
        return err;
    }
    *wrote = commit_mark(disk) != before;
    atomic_fetch_add_explicit(&disk->counters.commits, *wrote, memory_order_relaxed);
    account_all(disk, ops);
    return 0;
}

void batch_close(struct disk *disk)
{
    if (!disk->checked || index_begin(disk->index) != 0) {
        return; /* nothing was written since the store was opened */
    }
    if (uses_save_all(disk) == 0) {
        index_commit(disk->index);
    }
    index_abort(disk->index);
}
