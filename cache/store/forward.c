#include "cache/store/forward.h"

#include "base/err.h"
#include "base/guard.h"
#include "base/mem.h"
#include "cache/store/append.h"
#include "cache/store/lookup.h"
#include "cache/store/uses.h"

#include <errno.h>

/* An object that is being kept. */
struct kept {
    const uint8_t *hash;
    struct location location; /* its present place */
    struct segment_record read;
    struct segment_record newer; /* its head, if it was updated */
    struct store_chunk *chunks;  /* its new table */
    uint8_t uses;                /* of the copy */
};

/* The examination of a victim within one batch. The disk knows it, and so what it holds: the writer
 * may be left by a jump meanwhile (guard.h), and then all of it stays for good. */
struct transfer {
    struct disk *disk;
    struct segment *victim;
    enum s3_pressure pressure;
    uint64_t passed;  /* bytes of objects examined so far */
    struct kept kept; /* the object being examined */
    void *chunk;      /* a copy of one of its chunks; owned */
};

/* ---- reading what is there, what this batch has written included ----
 *
 * Into memory of our own, and each checksum is held against it again, however often that was done:
 * what is copied gets a new one. What cannot be read right is not kept, and spoils no batch. */

static int failed_read(struct disk *disk, int err)
{
    disk->unreadable += err == -EIO;
    return err;
}

/* Copies bytes that this batch has written. */
static int copy_written(struct segment *segment, uint32_t number, struct segment_record *out)
{
    struct span bytes;
    int err = segment_peek(segment, number, &bytes);

    if (!err) {
        err = guard_touch(bytes); /* LMDB may have written it to the file already */
    }
    if (err) {
        return err;
    }
    out->copy = xspandup(bytes);
    out->bytes = span_of(out->copy, bytes.len);
    err = record_read(out->bytes, &out->record);
    if (!err) {
        err = record_verify(out->bytes, &out->record);
    }
    if (err) {
        free(out->copy);
    }
    return err;
}

static int read_live(struct disk *disk, uint32_t id, uint32_t number, struct segment_record *out)
{
    struct segment *segment = segments_slot(&disk->segments, id);

    if (!segment_is_live(segment, id) || segment_ready(segment) != 0) {
        return ERR_NOT_FOUND;
    }
    return segment->txn && number >= segment->committed_objects
               ? copy_written(segment, number, out)
               : lookup_record(segment, number, WALK_READ, out);
}

/* Reads a record of a live segment; out->copy has to be freed. */
static int read_current(struct disk *disk, uint32_t id, uint32_t number, struct segment_record *out)
{
    *out = (struct segment_record){0};
    int err = read_live(disk, id, number, out);
    if (err) {
        out->copy = NULL;
    }
    return failed_read(disk, err);
}

/* ---- one object ---- */

static void kept_fini(struct kept *kept)
{
    free(kept->read.copy);
    free(kept->newer.copy);
    free(kept->chunks);
    *kept = (struct kept){0};
}

static int read_newer_head(struct disk *disk, struct kept *kept)
{
    const struct location *location = &kept->location;

    if (location->head_segment == 0) {
        return 0;
    }
    int err = read_current(disk, location->head_segment, location->head_object, &kept->newer);
    if (err) {
        return err;
    }
    bool fits = kept->newer.record.kind == RECORD_HEAD &&
                memcmp(kept->newer.record.hash, kept->hash, STORE_HASH) == 0;
    return fits ? 0 : ERR_CORRUPT;
}

/* Are all parts of the object present, as the index says? Reads its record unless it was read
 * already. */
static int read_kept(struct disk *disk, struct kept *kept)
{
    const struct location *location = &kept->location;
    struct segment_record *read = &kept->read;
    int err = read->copy ? 0 : read_current(disk, location->segment, location->object, read);

    if (err) {
        return err;
    }
    if (read->record.kind != RECORD_OBJECT ||
        memcmp(read->record.hash, kept->hash, STORE_HASH) != 0) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < read->record.chunk_count; i++) {
        if (!segments_is_live(&disk->segments, read->record.chunks[i].segment)) {
            return ERR_NOT_FOUND;
        }
    }
    return read_newer_head(disk, kept);
}

/* Length of the body's chunks in this segment. */
static uint64_t bytes_in(const struct record *record, uint32_t id)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < record->chunk_count; i++) {
        bytes += record->chunks[i].segment == id ? record->chunks[i].len : 0;
    }
    return bytes;
}

static int append_copy(struct disk *disk, const struct kept *kept, struct span bytes,
                       struct store_chunk *chunk)
{
    struct store_chunk copy;
    void *at;
    int err = append_room(disk, S3_MAIN, bytes.len);

    if (!err) {
        err = append_chunk(disk, S3_MAIN, kept->hash, bytes.len, &at, &copy);
    }
    if (err) {
        return err;
    }
    memcpy(at, bytes.at, bytes.len);
    copy.sum = chunk->sum;
    *chunk = copy;
    disk->eviction.kept += bytes.len;
    return 0;
}

/* ERR_CORRUPT: the chunk cannot be read. */
static int copy_chunk(struct transfer *transfer, const struct kept *kept, struct store_chunk *chunk)
{
    struct span bytes;
    void *copy = NULL;

    if (failed_read(transfer->disk,
                    lookup_chunk(transfer->victim, chunk, WALK_READ, &bytes, &copy)) != 0) {
        return ERR_CORRUPT;
    }
    transfer->chunk = copy;
    int err = append_copy(transfer->disk, kept, bytes, chunk);
    transfer->chunk = NULL;
    free(copy);
    return err;
}

static int copy_chunks(struct transfer *transfer, struct kept *kept)
{
    const struct record *record = &kept->read.record;
    int err = 0;

    if (record->chunk_count == 0) {
        return 0;
    }
    kept->chunks = xmalloc(record->chunk_count * sizeof(*kept->chunks));
    memcpy(kept->chunks, record->chunks, record->chunk_count * sizeof(*kept->chunks));
    for (size_t i = 0; i < record->chunk_count && !err; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): copied just above */
        if (kept->chunks[i].segment == transfer->victim->id) {
            err = copy_chunk(transfer, kept, &kept->chunks[i]);
        }
    }
    return err;
}

/* The segment that will probably be dropped first among those with a part of the body. */
static uint32_t low_segment_of(const struct disk *disk, const struct kept *kept, uint32_t own)
{
    size_t count = kept->read.record.chunk_count;

    for (size_t i = 0; i < count; i++) {
        const struct segment *segment = segments_slot(&disk->segments, kept->chunks[i].segment);
        if (segment->log == S3_PROBATION) {
            return segment->id;
        }
    }
    return count ? kept->chunks[0].segment : own;
}

static int write_kept(struct transfer *transfer, struct kept *kept)
{
    struct disk *disk = transfer->disk;
    const struct location *old = &kept->location;
    struct record record = kept->read.record;
    struct location location = *old;
    struct appended copy;

    record.chunks = kept->chunks;
    record.head = old->head_segment ? kept->newer.record.head : record.head;
    int err = append_room(disk, S3_MAIN, record_size(&record));
    if (!err) {
        err = append_record(disk, S3_MAIN, &record, &copy);
    }
    if (err) {
        return err;
    }
    if (record.body.len) {
        memcpy(copy.body, record.body.at, record.body.len);
    }
    location.segment = copy.segment->id;
    location.object = copy.number;
    location.low_segment = low_segment_of(disk, kept, copy.segment->id);
    location.head_segment = location.head_object = 0;
    bool remains = segments_slot(&disk->segments, location.low_segment)->log == S3_PROBATION;
    append_seal(&copy, record.body_len + record.head.len, kept->hash,
                remains && !kept->uses ? 1 : kept->uses);
    disk->eviction.kept += copy.size;
    atomic_fetch_add_explicit(&disk->counters.kept_objects, 1, memory_order_relaxed);
    return index_put(disk->index, kept->hash, &location);
}

/* Copies the parts of the object that are in the victim. ERR_AGAIN: there is no room. An object
 * that cannot be read intact is not kept, which is no error. */
static int keep(struct transfer *transfer, struct kept *kept)
{
    if (bytes_in(&kept->read.record, transfer->victim->id) > FORWARD_MAX) {
        return 0; /* all these chunks would have to be in memory at once */
    }
    int err = copy_chunks(transfer, kept);

    if (!err) {
        err = write_kept(transfer, kept);
    }
    return err == ERR_CORRUPT || err == ERR_NOT_FOUND ? 0 : err;
}

static enum s3_fate judge(struct transfer *transfer, const struct ledger_line *line, uint8_t *uses)
{
    bool enough = transfer->disk->eviction.kept >= FORWARD_MAX;
    struct s3_object object = {
        .log = transfer->victim->log, .tag = line->tag, .hits = line->uses, .size = line->size};

    return s3fifo_judge(&transfer->disk->policy, &object, enough ? S3_CRUSHED : transfer->pressure,
                        uses);
}

static void weigh(struct transfer *transfer, const struct ledger_line *line, enum s3_fate fate)
{
    struct s3_object object = {
        .log = transfer->victim->log, .hits = line->uses, .size = line->size};

    s3fifo_weigh(&transfer->disk->policy, &object, fate);
}

static void leave(struct transfer *transfer, const struct ledger_line *line)
{
    struct disk *disk = transfer->disk;

    weigh(transfer, line, S3_REMEMBER);
    if (line->tag) {
        s3fifo_remember(&disk->policy, line->tag, index_entries(disk->index));
    }
}

/* ---- records ---- */

static uint64_t object_size(const struct location *location)
{
    return location->body_len + location->head_len;
}

/* Examines a used object whose record was read. */
static int walk_used(struct transfer *transfer, uint32_t number, struct ledger_line *line,
                     struct kept *kept)
{
    struct disk *disk = transfer->disk;

    if (index_peek(disk->index, kept->hash, &kept->location) != 0 ||
        kept->location.segment != transfer->victim->id || kept->location.object != number) {
        return 0; /* replaced, deleted, or the head of an update */
    }
    line->tag = append_tag(kept->hash); /* known now, also for an object of an earlier run */
    line->size = object_size(&kept->location);
    if (judge(transfer, line, &kept->uses) != S3_KEEP) {
        leave(transfer, line);
        return 0;
    }
    weigh(transfer, line, S3_KEEP);
    return read_kept(disk, kept) == 0 ? keep(transfer, kept) : 0;
}

static int walk_record(struct transfer *transfer, uint32_t number)
{
    struct disk *disk = transfer->disk;
    struct ledger_line line = ledger_read(&transfer->victim->ledger, number);
    struct kept *kept = &transfer->kept;

    transfer->passed += line.size;
    if (line.uses == 0 || (line.tag && judge(transfer, &line, &kept->uses) != S3_KEEP)) {
        leave(transfer, &line); /* most objects leave without being read from the disk */
        return 0;
    }
    int err = 0;
    if (read_current(disk, transfer->victim->id, number, &kept->read) == 0) {
        transfer->passed += line.tag ? 0 : kept->read.bytes.len; /* it was not counted so far */
        kept->hash = kept->read.record.hash;
        err = walk_used(transfer, number, &line, kept);
    }
    kept_fini(kept);
    return err;
}

/* ---- chunks whose record is in another segment ---- */

static int walk_owner(struct transfer *transfer, const uint8_t hash[STORE_HASH])
{
    struct disk *disk = transfer->disk;
    struct kept *kept = &transfer->kept;
    int err = 0;

    kept->hash = hash;
    if (index_peek(disk->index, hash, &kept->location) != 0 ||
        kept->location.segment == transfer->victim->id) {
        return 0;
    }
    if (read_kept(disk, kept) == 0 && bytes_in(&kept->read.record, transfer->victim->id)) {
        struct segment *home = segments_slot(&disk->segments, kept->location.segment);
        uses_load(disk, home);
        struct ledger_line line = {
            .tag = append_tag(hash),
            .size = object_size(&kept->location),
            .uses = ledger_uses(&home->ledger, kept->location.object),
        };
        if (judge(transfer, &line, &kept->uses) == S3_KEEP) {
            weigh(transfer, &line, S3_KEEP);
            err = keep(transfer, kept);
        } else {
            leave(transfer, &line);
            err = index_drop(disk->index, hash);
        }
    }
    kept_fini(kept);
    return err;
}

static int walk_chunk(struct transfer *transfer, uint32_t number, uint8_t last[STORE_HASH])
{
    uint8_t hash[STORE_HASH];

    transfer->passed += STORE_CHUNK / 16; /* most of it is not read */
    if (lookup_owner(transfer->victim, number, hash) != 0 || memcmp(hash, last, STORE_HASH) == 0) {
        return 0;
    }
    memcpy(last, hash, STORE_HASH);
    return walk_owner(transfer, hash);
}

/* ---- the walk ---- */

bool forward_begin(struct disk *disk, struct segment *victim)
{
    if (segment_ready(victim) != 0 || segment_count(victim) != 0) {
        return false;
    }
    uses_load(disk, victim);
    return true;
}

/* Is the budget used up? Then the next batch continues. */
static bool is_enough(const struct transfer *transfer, const struct eviction *at, uint64_t budget)
{
    return transfer->passed >= budget || (budget != UINT64_MAX && at->kept >= FORWARD_MAX);
}

static int walk_on(struct transfer *transfer, struct eviction *at, uint64_t budget)
{
    uint8_t last[STORE_HASH] = {0};
    int err = 0;

    while (!err && !is_enough(transfer, at, budget) &&
           at->next_object < transfer->victim->next_object) {
        err = walk_record(transfer, at->next_object++);
    }
    while (!err && !is_enough(transfer, at, budget) &&
           at->next_chunk < transfer->victim->next_chunk) {
        err = walk_chunk(transfer, at->next_chunk++, last);
    }
    at->walked = !err && at->next_object >= transfer->victim->next_object &&
                 at->next_chunk >= transfer->victim->next_chunk;
    return err;
}

int forward_walk(struct disk *disk, struct segment *victim, uint64_t budget,
                 enum s3_pressure pressure, bool *no_room)
{
    struct eviction *at = &disk->eviction;
    struct transfer *transfer = xmalloc(sizeof(*transfer));

    *transfer = (struct transfer){.disk = disk, .victim = victim, .pressure = pressure};
    disk->transfer = transfer;
    at->copying = true;
    int err = walk_on(transfer, at, budget);
    *no_room = err == ERR_AGAIN;
    if (*no_room) { /* further objects leave ghosts, but are not kept */
        transfer->pressure = S3_CRUSHED;
        err = walk_on(transfer, at, budget);
    }
    at->copying = false;
    disk->transfer = NULL;
    free(transfer);
    return err;
}
