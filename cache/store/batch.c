#include "cache/store/batch.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/store/append.h"
#include "cache/store/evict.h"
#include "cache/store/lookup.h"
#include "cache/store/uses.h"

#include <stdatomic.h>
#include <xxhash.h>

/* Dead records must be found faster than new ones arrive, or the index grows for ever. */
#define SWEEP_MIN 64
#define SWEEP_PER_OP 4

/* ---- operations ---- */

struct op *op_new(enum op_kind kind, const struct store_piece *pieces, size_t count)
{
    struct op *op = xcalloc(1, sizeof(*op) + count * sizeof(*pieces));

    memory_take(MEMORY_QUEUED, sizeof(*op) + count * sizeof(*pieces));
    list_init(&op->link);
    list_init(&op->pending);
    op->kind = kind;
    op->cost = sizeof(*op) + count * sizeof(*pieces);
    op->piece_count = count;
    for (size_t i = 0; i < count; i++) {
        op->pieces[i] = pieces[i];
        op->body_len += pieces[i].bytes.len;
    }
    op->cost += op->body_len;
    return op;
}

void op_set_text(struct op *op, struct span key, struct span head)
{
    op->text = xmalloc(key.len + head.len);
    memory_take(MEMORY_QUEUED, key.len + head.len);
    op->key_len = key.len;
    op->head_len = head.len;
    op->cost += key.len + head.len;
    if (key.len) {
        memcpy(op->text, key.at, key.len);
    }
    if (head.len) {
        memcpy(op->text + key.len, head.at, head.len);
    }
}

void op_set_meta(struct op *op, const void *meta, size_t meta_len)
{
    CHECK(meta_len <= STORE_META_MAX);
    op->meta_len = meta_len;
    if (meta_len) {
        memcpy(op->meta, meta, meta_len);
    }
}

static struct span op_key(const struct op *op)
{
    return span_of(op->text, op->key_len);
}

static struct span op_head(const struct op *op)
{
    return span_of(op->text + op->key_len, op->head_len);
}

void op_end(struct op *op)
{
    for (size_t i = 0; i < op->piece_count; i++) {
        if (op->pieces[i].release) {
            op->pieces[i].release(op->pieces[i].arg);
        }
    }
    if (op->chunk_done) {
        op->chunk_done(op->arg, op->err, &op->chunk);
    }
    if (op->done) {
        op->done(op->arg, op->err);
    }
    if (op->kind == OP_FINISH || op->kind == OP_ABORT) {
        store_put_free(op->put);
    }
    memory_give(MEMORY_QUEUED,
                sizeof(*op) + op->piece_count * sizeof(op->pieces[0]) + op->key_len + op->head_len);
    free(op->text);
    free(op);
}

/* ---- one operation. A result other than 0 fails the whole batch; op->err fails it alone ---- */

static void *copy_pieces(char *at, const struct op *op)
{
    for (size_t i = 0; i < op->piece_count; i++) {
        struct span bytes = op->pieces[i].bytes;
        if (bytes.len) {
            memcpy(at, bytes.at, bytes.len);
            at += bytes.len;
        }
    }
    return at;
}

/* The store is smaller than the object, or so busy that its first chunks are gone already. */
static bool has_outgrown(const struct disk *disk, const struct store_put *put)
{
    return put->count && (!segments_is_live(&disk->segments, put->chunks[0].segment) ||
                          put->count * (uint64_t)STORE_CHUNK > disk->object_max);
}

static int put_state(const struct disk *disk, struct store_put *put)
{
    if (!put->err && has_outgrown(disk, put)) {
        put->err = ERR_FULL;
    }
    return put->err;
}

/* The log it goes to: once, since a ghost is taken away by it. What replaces an object goes where
 * that was, and inherits its uses. */
static enum s3_log log_of(struct disk *disk, struct store_put *put, const uint8_t hash[STORE_HASH],
                          uint64_t size)
{
    struct location old;

    if (!put->placed) {
        put->placed = true;
        put->log = s3fifo_place(&disk->policy, append_tag(hash), size, &put->uses);
        if (index_peek(disk->index, hash, &old) == 0 && disk_has(disk, &old)) {
            struct segment *segment = segments_slot(&disk->segments, old.segment);
            uses_load(disk, segment);
            put->log = segment->log == S3_MAIN ? S3_MAIN : put->log;
            uint8_t uses = ledger_uses(&segment->ledger, old.object);
            put->uses = uses > put->uses ? uses : put->uses;
        }
    }
    return put->log;
}

static int apply_chunk(struct disk *disk, struct op *op)
{
    struct store_put *put = op->put;
    size_t len = (size_t)op->body_len;
    void *at;

    op->err = put_state(disk, put);
    if (op->err) {
        return 0;
    }
    enum s3_log log = log_of(disk, put, op->hash, len);
    int err = append_room(disk, log, len);
    if (!err) {
        err = append_chunk(disk, log, op->hash, len, &at, &op->chunk);
    }
    if (err) {
        return err;
    }
    copy_pieces(at, op);
    op->chunk.sum = XXH3_64bits(at, len);
    if (list_empty(&put->link)) { /* a replay finds it there */
        list_push_back(&disk->puts, &put->link);
    }
    store_put_remember(put, &op->chunk);
    return 0;
}

/* The record, its bytes, and where it went. */
static int write_record(struct disk *disk, enum s3_log log, const struct op *op,
                        const struct record *record, uint8_t uses, struct appended *out)
{
    int err = append_record(disk, log, record, out);

    if (!err) {
        copy_pieces(out->body, op);
        append_seal(out, record->body_len + record->head.len, record->hash, uses);
    }
    return err;
}

static int finish_state(const struct disk *disk, const struct op *op, const struct record *record)
{
    int err = put_state(disk, op->put);
    uint64_t given = 0;

    for (size_t i = 0; i < op->piece_count; i++) {
        given += op->pieces[i].bytes.len;
    }
    if (err) {
        return err;
    }
    if (given + store_put_bytes(op->put) != op->body_len || (given && op->put->count)) {
        return ERR_TRUNCATED;
    }
    if (given + record->head.len > STORE_INLINE_MAX ||
        !segment_could_hold(disk->segments.segment_size, record_size(record))) {
        return ERR_TOO_LARGE;
    }
    return 0;
}

static int apply_finish(struct disk *disk, struct op *op)
{
    struct store_put *put = op->put;
    struct record record = {
        .kind = RECORD_OBJECT,
        .body_len = op->body_len,
        .key = put->key,
        .head = op_head(op),
        .chunks = put->chunks,
        .chunk_count = put->count,
    };
    struct location location = {
        .head_len = (uint32_t)op->head_len,
        .body_len = op->body_len,
        .meta_len = (uint32_t)op->meta_len,
    };

    op->err = finish_state(disk, op, &record);
    if (op->err) {
        return 0;
    }
    memcpy(record.hash, put->hash, STORE_HASH);
    memcpy(location.meta, op->meta, op->meta_len);
    enum s3_log log = log_of(disk, put, put->hash, op->body_len);
    int err = append_room(disk, log, record_size(&record));
    if (err) {
        return err;
    }
    op->err = put_state(disk, put); /* making room may have evicted its chunks */
    if (op->err) {
        return 0;
    }
    struct appended written;
    err = write_record(disk, log, op, &record, put->uses, &written);
    if (err) {
        return err;
    }
    location.segment = written.segment->id;
    location.object = written.number;
    location.low_segment = put->count ? put->chunks[0].segment : location.segment;
    return index_put(disk->index, put->hash, &location);
}

/* Is it this key that is stored there? Read through the open transaction where need be. */
static bool stored_key_is(struct disk *disk, const struct location *location, struct span key)
{
    struct segment_record read = {0};
    struct segment *segment = segments_slot(&disk->segments, location->segment);
    bool same = false;

    if (disk_is_open(disk, segment) && segment->id == location->segment && segment->txn) {
        return segment_peek(segment, location->object, &read.bytes) == 0 &&
               record_read(read.bytes, &read.record) == 0 && span_eq(read.record.key, key);
    }
    segment = segments_pin(&disk->segments, location->segment);
    if (!segment) {
        return false;
    }
    if (lookup_record(segment, location->object, WALK_MAP, &read) == 0) {
        same = span_eq(read.record.key, key);
        free(read.copy);
    }
    segments_unpin(&disk->segments, segment);
    return same;
}

static int find_for_update(struct disk *disk, const struct op *op, struct location *location)
{
    int err = index_peek(disk->index, op->hash, location);

    if (!err && (!disk_has(disk, location) || !stored_key_is(disk, location, op_key(op)))) {
        err = ERR_NOT_FOUND;
    }
    return err;
}

static enum s3_log log_of_stored(struct disk *disk, const uint8_t hash[STORE_HASH])
{
    struct location location;

    return index_peek(disk->index, hash, &location) == 0
               ? segments_slot(&disk->segments, location.segment)->log
               : S3_PROBATION;
}

static int apply_update(struct disk *disk, struct op *op)
{
    struct location location;
    struct record record = {.kind = RECORD_HEAD, .key = op_key(op), .head = op_head(op)};

    if (op->head_len > STORE_INLINE_MAX) {
        op->err = ERR_TOO_LARGE;
        return 0;
    }
    memcpy(record.hash, op->hash, STORE_HASH);
    enum s3_log log = log_of_stored(disk, op->hash); /* so that its head does not go before it */
    int err = append_room(disk, log, record_size(&record)); /* may evict the body: look then */
    if (err) {
        return err;
    }
    op->err = find_for_update(disk, op, &location);
    if (op->err) {
        return 0;
    }
    struct appended written;
    err = write_record(disk, log, op, &record, 0, &written);
    if (err) {
        return err;
    }
    location.head_segment = written.segment->id;
    location.head_object = written.number;
    location.head_len = (uint32_t)op->head_len;
    location.meta_len = (uint32_t)op->meta_len;
    memcpy(location.meta, op->meta, op->meta_len);
    return index_put(disk->index, op->hash, &location);
}

static int apply_discard(struct disk *disk, struct op *op)
{
    struct location location;

    if (index_peek(disk->index, op->hash, &location) == 0 &&
        (location.segment != op->chunk.segment || location.object != op->chunk.number)) {
        return 0;
    }
    return index_drop(disk->index, op->hash);
}

static int apply(struct disk *disk, struct op *op)
{
    switch (op->kind) {
    case OP_CHUNK:
        return apply_chunk(disk, op);
    case OP_FINISH:
        return apply_finish(disk, op);
    case OP_UPDATE:
        return apply_update(disk, op);
    case OP_DROP:
        return index_drop(disk->index, op->hash);
    case OP_DISCARD:
        return apply_discard(disk, op);
    case OP_ABORT:
    case OP_FLUSH:
        return 0;
    }
    UNREACHABLE();
}

/* ---- the batch ---- */

static bool writes(const struct op *op)
{
    return op->kind != OP_ABORT && op->kind != OP_FLUSH;
}

static int apply_all(struct disk *disk, struct list *ops)
{
    unsigned count = 0;
    uint64_t bytes = 0;

    list_each(link, ops)
    {
        struct op *op = list_entry(link, struct op, link);
        op->err = 0;
        int err = apply(disk, op);
        if (err) {
            return err;
        }
        count += writes(op);
        bytes += writes(op) ? op->cost : 0;
    }
    if (count == 0) {
        return 0;
    }
    int err = evict_ahead(disk, bytes);
    return err ? err : evict_sweep(disk, SWEEP_MIN + SWEEP_PER_OP * count);
}

/* Segments that an attempt which failed has made. */
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

/* With the index transaction begun: what the commit is to hold, beside the commit itself. */
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
    if (!err) {
        err = apply_all(disk, ops);
    }
    if (!err) {
        err = uses_save(disk, false);
    }
    return err;
}

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

/* It can be read without LMDB's consent. */
static void close_segment(struct disk *disk, enum s3_log log)
{
    if (disk->open[log]) {
        segment_seal(disk->open[log]);
        disk->open[log] = NULL;
    }
}

/* At once, and not with the next batch: nobody would find anything meanwhile. */
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
    if (!err) {
        err = commit_segments(disk);
    }
    if (!err) {
        err = index_commit(disk->index);
    }
    if (err) {
        abort_segments(disk);
        disk->eviction = before; /* the copies are gone */
    }
    index_abort(disk->index);
    if (err) {
        rescue_readers(disk);
    }
    return err;
}

/* What a failed attempt left in the chunk tables. */
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

/* Changes with every commit that wrote: a new segment changes the index too. */
static uint64_t commit_mark(const struct disk *disk)
{
    uint64_t segments = 0;

    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        segments += disk->open[log] ? env_commits(&disk->open[log]->env) : 0;
    }
    return env_commits(&disk->index->env) << 32 | (uint32_t)segments;
}

/* Gives up those whose account was wrong. */
static bool close_overflowed(struct disk *disk)
{
    bool any = false;

    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        if (disk->overflowed[log]) {
            disk->overflowed[log] = false;
            close_segment(disk, log);
            any = true;
        }
    }
    return any;
}

int batch_write(struct disk *disk, struct list *ops, bool *wrote)
{
    uint64_t before = commit_mark(disk);

    *wrote = false;
    int err = attempt(disk, ops);

    if (close_overflowed(disk) && err) {
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
        return; /* nothing was written in this run */
    }
    if (uses_save(disk, true) == 0) {
        index_commit(disk->index);
    }
    index_abort(disk->index);
}
