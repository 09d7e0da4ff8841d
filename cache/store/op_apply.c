/* op_apply - carries out queued operations, inside a transaction of the writer. */
#include "cache/store/op.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/store/append.h"
#include "cache/store/lookup.h"
#include "cache/store/uses.h"

#include <xxhash.h>

/* Bodies of unknown length that are being stored may use 1/4 of the store. */
#define UNMEASURED_PART 4

static struct span op_key(const struct op *op)
{
    return span_of(op->text, op->key_len);
}

static struct span op_head(const struct op *op)
{
    return span_of(op->text + op->key_len, op->head_len);
}

/* ---- a put ---- */

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

/* Is the store too small for the object, or so busy that its first chunks were evicted? */
static bool has_outgrown(const struct disk *disk, const struct store_put *put)
{
    return put->count && (!segments_is_live(&disk->segments, put->chunks[0].segment) ||
                          put->count * (uint64_t)STORE_CHUNK > disk->object_max);
}

/* Do bodies of unknown length use too much already? They must not evict everything else together,
 * as in the end none of them may be stored. */
static bool is_too_much(const struct disk *disk, const struct store_put *put)
{
    uint64_t chunks = 1;

    if (!put->unmeasured) {
        return false;
    }
    list_each(link, &disk->puts)
    {
        const struct store_put *other = list_entry(link, struct store_put, link);
        chunks += other->unmeasured ? other->count : 0;
    }
    return chunks * STORE_CHUNK > disk->size / UNMEASURED_PART;
}

static int put_state(const struct disk *disk, struct store_put *put)
{
    if (!put->err && has_outgrown(disk, put)) {
        put->err = ERR_FULL;
    }
    return put->err;
}

/* Chooses the log; once for each object, because that removes its ghost. A replacement goes to the
 * log of the object that it replaces, and inherits its uses. */
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

    if (!put->err && is_too_much(disk, put)) {
        put->err = ERR_FULL;
    }
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
    if (list_empty(&put->link)) { /* linked, so that a repeated attempt finds it */
        list_push_back(&disk->puts, &put->link);
    }
    store_put_remember(put, &op->chunk);
    return 0;
}

/* Writes a record, and returns its bytes and place. */
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

static int write_object(struct disk *disk, struct op *op)
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
    op->err = put_state(disk, put); /* making room may have evicted the object's own chunks */
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

/* An object that cannot be stored is still newer than the record it would have replaced, which is
 * deleted. */
static int apply_finish(struct disk *disk, struct op *op)
{
    int err = write_object(disk, op);

    return !err && op->err ? index_drop(disk->index, op->hash) : err;
}

/* ---- an update ---- */

/* Is this key stored there? Reads through the open transaction if necessary. */
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
        return index_drop(disk->index, op->hash); /* the object with its outdated head is deleted */
    }
    memcpy(record.hash, op->hash, STORE_HASH);
    /* in the same log, so that the head is not evicted before its body */
    enum s3_log log = log_of_stored(disk, op->hash);
    /* may evict the body, which is checked afterwards */
    int err = append_room(disk, log, record_size(&record));
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

/* ---- any operation ---- */

static int apply_discard(struct disk *disk, struct op *op)
{
    struct location location;

    if (index_peek(disk->index, op->hash, &location) == 0 &&
        (location.segment != op->chunk.segment || location.object != op->chunk.number)) {
        return 0;
    }
    return index_drop(disk->index, op->hash);
}

int op_apply(struct disk *disk, struct op *op)
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
