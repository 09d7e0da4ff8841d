/* find - from a key to what is stored under it, and to the chunks of a large body. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/store/store_parts.h"

#include <stdatomic.h>

static bool begins_run(const struct store_chunk *chunks, size_t i)
{
    return i == 0 || chunks[i].segment != chunks[i - 1].segment;
}

static void unpin_chunks(struct segments *segments, const struct store_chunk *chunks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (begins_run(chunks, i)) {
            segments_unpin(segments, segments_slot(segments, chunks[i].segment));
        }
    }
}

/* A large body stays readable to its end: every segment that holds a part is pinned. */
static int pin_chunks(struct segments *segments, const struct store_chunk *chunks, size_t count)
{
    int err = 0;
    size_t i = 0;

    while (i < count && !err) {
        struct segment *segment = segments_slot(segments, chunks[i].segment);
        if (begins_run(chunks, i) && !segments_pin(segments, chunks[i].segment)) {
            err = ERR_NOT_FOUND;
            break;
        }
        err = segment_chunk_is_bad(segment, chunks[i].number) ? ERR_CORRUPT : 0;
        i++;
    }
    if (err) {
        unpin_chunks(segments, chunks, i);
    }
    return err;
}

/* The newer head of an updated object, copied behind the record when that is a copy itself, so that
 * one allocation holds what is not lent. */
static int adopt_newer_head(struct segments *segments, const struct location *location,
                            struct segment_record *read, struct span *head)
{
    struct segment_record newer;
    struct segment *segment = segments_pin(segments, location->head_segment);
    size_t kept = read->copy ? (read->bytes.len + 7) & ~(size_t)7 : 0;

    if (!segment) {
        return ERR_NOT_FOUND;
    }
    int err = segment_read(segment, location->head_object, &newer);
    if (!err && (newer.record.kind != RECORD_HEAD ||
                 memcmp(newer.record.hash, read->record.hash, STORE_HASH) != 0)) {
        free(newer.copy);
        err = ERR_CORRUPT;
    }
    if (!err) {
        char *copy = xrealloc(read->copy, kept + newer.record.head.len);
        if (newer.record.head.len) {
            memcpy(copy + kept, newer.record.head.at, newer.record.head.len);
        }
        *head = span_of(copy + kept, newer.record.head.len);
        read->bytes.at = read->copy ? copy : read->bytes.at;
        read->copy = copy;
        free(newer.copy);
    }
    segments_unpin(segments, segment);
    return err;
}

static bool is_for(const struct record *record, const uint8_t hash[STORE_HASH], struct span key)
{
    return record->kind == RECORD_OBJECT && memcmp(record->hash, hash, STORE_HASH) == 0 &&
           span_eq(record->key, key);
}

/* Takes the record apart into `out`, which takes over what `read` owns. On failure the caller frees
 * read->copy. */
static int fill_object(struct segments *segments, const struct location *location,
                       struct segment_record *read, struct store_object *out)
{
    struct span newer_head = SPAN_EMPTY;
    int err = location->head_segment ? adopt_newer_head(segments, location, read, &newer_head) : 0;

    if (!err) {
        err = record_read(read->bytes, &read->record); /* the copy may have moved */
    }
    if (!err) {
        err = pin_chunks(segments, read->record.chunks, read->record.chunk_count);
    }
    if (err) {
        return err;
    }
    *out = (struct store_object){
        .segment = location->segment,
        .number = location->object,
        .meta_len = location->meta_len,
        .head = location->head_segment ? newer_head : read->record.head,
        .body_len = read->record.body_len,
        .body = read->record.body,
        .chunks = read->record.chunks,
        .chunk_count = read->record.chunk_count,
        .copy = read->copy,
    };
    memcpy(out->meta, location->meta, location->meta_len);
    return 0;
}

/* Reads the record in a segment that is pinned; the pin goes to *out when bytes are lent. */
static int read_object(struct segments *segments, struct segment *segment,
                       const struct location *location, const uint8_t hash[STORE_HASH],
                       struct span key, struct store_object *out)
{
    struct segment_record read;
    int err = segment_read(segment, location->object, &read);

    if (err) {
        return err;
    }
    bool is_lent = read.copy == NULL;
    err = is_for(&read.record, hash, key) ? fill_object(segments, location, &read, out)
                                          : ERR_NOT_FOUND;
    if (err) {
        free(read.copy);
        return err;
    }
    if (is_lent) {
        out->pin = &segment->pin;
    } else {
        segments_unpin(segments, segment);
    }
    return 0;
}

static int find(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                struct location *location, struct store_object *out)
{
    struct segments *segments = &store->disk.segments;
    int err = writer_is_dropping(&store->writer, hash)
                  ? ERR_NOT_FOUND
                  : index_get(store->disk.index, hash, location);

    if (err) {
        return err;
    }
    struct segment *segment = segments_pin(segments, location->segment);
    if (!segment) {
        return ERR_NOT_FOUND;
    }
    err = read_object(segments, segment, location, hash, key, out);
    if (err) {
        segments_unpin(segments, segment);
    }
    return err;
}

/* The index must not lead there again. A location that was replaced meanwhile stays. */
static void discard(struct store *store, const uint8_t hash[STORE_HASH],
                    const struct location *location)
{
    atomic_fetch_add_explicit(&store->disk.counters.corrupt, 1, memory_order_relaxed);
    log_warn("store_corrupt", "dir=%s segment=%u object=%u", store->disk.segments.home.dir,
             location->segment, location->object);
    if (atomic_load(&store->writer.dirty) > store->dirty_limit) {
        return; /* whoever finds it next will say so again */
    }
    struct op *op = op_new(OP_DISCARD, NULL, 0);
    memcpy(op->hash, hash, STORE_HASH);
    op->chunk.segment = location->segment;
    op->chunk.number = location->object;
    writer_post(&store->writer, op);
}

int store_find(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out)
{
    struct location location = {0};
    struct find_counters *count = &store->finds[env_lane()];
    int err = find(store, hash, key, &location, out);

    if (err == ERR_CORRUPT) {
        discard(store, hash, &location);
    }
    atomic_fetch_add_explicit(err ? &count->missed : &count->found, 1, memory_order_relaxed);
    return err;
}

static void count_use(struct segments *segments, uint32_t id, uint32_t number)
{
    struct segment *segment = segments_slot(segments, id);

    if (segment_pin(segment, id, false)) {
        ledger_use(&segment->ledger, number);
        segments_unpin(segments, segment);
    }
}

void store_used(struct store *store, const struct store_object *object)
{
    count_use(&store->disk.segments, object->segment, object->number);
}

void store_touch(struct store *store, const uint8_t hash[STORE_HASH])
{
    struct location location;

    if (index_get(store->disk.index, hash, &location) == 0) {
        count_use(&store->disk.segments, location.segment, location.object);
    }
}

void store_object_done(struct store *store, struct store_object *object)
{
    struct segments *segments = &store->disk.segments;

    unpin_chunks(segments, object->chunks, object->chunk_count);
    if (object->pin) {
        segments_unpin(segments, segment_of_pin(object->pin));
    }
    free(object->copy);
    *object = (struct store_object){0};
}

int store_lend(struct store *store, const struct store_chunk *chunk, struct store_pin **pin,
               struct span *out)
{
    struct segments *segments = &store->disk.segments;
    struct segment *segment = segments_pin_any(segments, chunk->segment);

    *pin = NULL;
    if (!segment) {
        return ERR_NOT_FOUND;
    }
    int err = segment_lend(segment, chunk, out);
    if (err) {
        segments_unpin(segments, segment);
        return err;
    }
    *pin = &segment->pin;
    return 0;
}

void store_unpin(struct store *store, struct store_pin *pin)
{
    segments_unpin(&store->disk.segments, segment_of_pin(pin));
}

struct file_place store_place(struct store_pin *pin, struct span lent)
{
    return segment_place(segment_of_pin(pin), lent);
}
