/* find - finds what is stored under a key, and pins all of it. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/store/store_parts.h"

#include <errno.h>
#include <stdatomic.h>

int find_segment(struct segments *segments, uint32_t id, bool retired, enum walk_way way,
                 struct segment **out)
{
    struct segment *segment = segments_slot(segments, id);

    *out = NULL;
    if (way != WALK_NOW) {
        *out = retired ? segments_pin_any(segments, id) : segments_pin(segments, id);
        return *out ? 0 : ERR_NOT_FOUND;
    }
    if (!segment_pin(segment, id, retired)) {
        return ERR_NOT_FOUND;
    }
    if (!atomic_load(&segment->opened)) {
        segments_unpin(segments, segment);
        return ERR_AGAIN;
    }
    *out = segment;
    return 0;
}

static int locate(struct store *store, const uint8_t hash[STORE_HASH], enum walk_way way,
                  struct found_object *out)
{
    struct index *index = store->disk.index;

    out->index = index;
    if (writer_is_dropping(&store->writer, hash)) {
        return ERR_NOT_FOUND;
    }
    return lookup_location(index, hash, way, &out->location, &out->commit);
}

/* ---- the chunks of a large body ---- */

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

/* Pins every segment with a part of the body, so that it can be read to its end. */
static int pin_chunks(struct segments *segments, const struct store_chunk *chunks, size_t count,
                      enum walk_way way)
{
    struct segment *segment;
    int err = 0;
    size_t i = 0;

    while (i < count && !err) {
        if (begins_run(chunks, i)) {
            err = find_segment(segments, chunks[i].segment, false, way, &segment);
            if (err) {
                break;
            }
        }
        err = segment_chunk_is_bad(segment, chunks[i].number) ? ERR_CORRUPT : 0;
        i++;
    }
    if (err) {
        unpin_chunks(segments, chunks, i);
    }
    return err;
}

/* ---- objects ---- */

/* Uses the newer head of an updated object. If the record is a copy, the head is appended to it, so
 * that there is only one allocation. */
static int adopt_newer_head(struct segments *segments, const struct location *location,
                            enum walk_way way, struct segment_record *read, struct span *head)
{
    struct segment_record newer;
    struct segment *segment;
    size_t kept = read->copy ? (read->bytes.len + 7) & ~(size_t)7 : 0;
    int err = find_segment(segments, location->head_segment, false, way, &segment);

    if (err) {
        return err;
    }
    err = lookup_record(segment, location->head_object, way, &newer);
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

/* Copies the table of chunks: it is needed as long as the object is read, and the disk may later
 * fail to deliver its page. */
static void keep_chunks(struct segment_record *read, struct span *newer_head)
{
    struct record *record = &read->record;
    size_t size = record->chunk_count * sizeof(*record->chunks);
    char *copy = xmalloc(size + newer_head->len);

    memcpy(copy, record->chunks, size);
    if (newer_head->len) {
        memcpy(copy + size, newer_head->at, newer_head->len);
    }
    free(read->copy);
    read->copy = copy;
    record->chunks = (const struct store_chunk *)(void *)copy;
    newer_head->at = copy + size;
}

/* Are the lengths of record and location the same? A page may change after its checksum was
 * verified, and readers rely on these numbers. */
static bool lengths_hold(const struct record *record, const struct location *location)
{
    return record->body_len == location->body_len && record_chunks_hold(record);
}

/* Fills in `out` from the record, and takes over what `read` owns. On errors the caller frees
 * read->copy. */
static int fill_object(struct segments *segments, const struct location *location,
                       enum walk_way way, struct segment_record *read, struct store_object *out)
{
    struct span newer_head = SPAN_EMPTY;
    bool was_lent = read->copy == NULL;
    int err =
        location->head_segment ? adopt_newer_head(segments, location, way, read, &newer_head) : 0;

    if (!err) {
        /* the copy may have moved, so its spans are parsed again */
        err = record_read(read->bytes, &read->record);
    }
    if (!err && was_lent && read->record.chunk_count) {
        keep_chunks(read, &newer_head);
    }
    if (!err && !lengths_hold(&read->record, location)) {
        err = ERR_CORRUPT;
    }
    if (!err) {
        err = pin_chunks(segments, read->record.chunks, read->record.chunk_count, way);
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

/* Reads a record in a pinned segment; the object takes over the pin if bytes are lent. */
static int read_object(struct segments *segments, struct segment *segment, enum walk_way way,
                       const uint8_t hash[STORE_HASH], struct span key, struct found_object *out)
{
    struct segment_record read;
    int err = lookup_record(segment, out->location.object, way, &read);

    if (err) {
        return err;
    }
    bool is_lent = read.copy == NULL;
    err = is_for(&read.record, hash, key)
              ? fill_object(segments, &out->location, way, &read, &out->object)
              : ERR_NOT_FOUND;
    if (err) {
        free(read.copy);
        return err;
    }
    if (is_lent) {
        out->object.pin = &segment->pin;
    } else {
        segments_unpin(segments, segment);
    }
    return 0;
}

void find_discard(struct store *store, const uint8_t hash[STORE_HASH],
                  const struct location *location)
{
    atomic_fetch_add_explicit(&store->disk.counters.corrupt, 1, memory_order_relaxed);
    log_warn("store_corrupt", "dir=%s segment=%u object=%u", store->disk.segments.home.dir,
             location->segment, location->object);
    if (atomic_load(&store->writer.dirty) > store->dirty_limit) {
        return; /* the next reader that finds the damage reports it again */
    }
    struct op *op = op_new(OP_DISCARD, NULL, 0);
    memcpy(op->hash, hash, STORE_HASH);
    op->chunk.segment = location->segment;
    op->chunk.number = location->object;
    writer_post(&store->writer, op);
}

/* Reads the object at the location that the index has. */
static int find_located(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                        enum walk_way way, struct found_object *out)
{
    struct segments *segments = &store->disk.segments;
    struct segment *segment;
    int err = find_segment(segments, out->location.segment, false, way, &segment);

    if (err) {
        return err;
    }
    err = read_object(segments, segment, way, hash, key, out);
    if (err) {
        segments_unpin(segments, segment);
    }
    if (err == ERR_CORRUPT || err == -EIO) {
        find_discard(store, hash, &out->location);
    }
    return err;
}

int find_object(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                enum walk_way way, struct found_object *out)
{
    *out = (struct found_object){0};
    int err = locate(store, hash, way, out);

    if (err == ERR_CORRUPT) {
        find_discard(store, hash, &out->location);
    }
    err = err ? err : find_located(store, hash, key, way, out);
    if (err == -EIO) {
        store_count_error(store);
    }
    return err;
}

static void count_find(struct store *store, int err)
{
    struct find_counters *count = &store->finds[env_lane()];

    atomic_fetch_add_explicit(err ? &count->missed : &count->found, 1, memory_order_relaxed);
}

int store_find(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out)
{
    struct found_object found;
    int err = find_object(store, hash, key, WALK_MAP, &found);

    count_find(store, err);
    *out = found.object;
    return err;
}

/* ---- without waiting ---- */

static bool is_same_place(const struct location *a, const struct location *b)
{
    return a->segment == b->segment && a->object == b->object &&
           a->head_segment == b->head_segment && a->head_object == b->head_object;
}

/* Gives another owner the object that was read. */
static int share(struct store *store, struct store_read *read, const struct store_object *from,
                 struct store_object *out)
{
    int err = pin_chunks(&store->disk.segments, from->chunks, from->chunk_count, WALK_NOW);

    if (!err) {
        *out = *from;
        out->copy = NULL;
        out->read = store_read_ref(read);
    }
    return err;
}

/* Was nothing committed since the object was read? */
static bool is_current(struct store *store, const struct found_object *was)
{
    return was->index != NULL && was->index == store->disk.index &&
           was->commit == env_commits(&was->index->env);
}

/* Uses the object that was read, unless another one is stored under the key by now. */
static int find_with(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                     struct store_read *read, struct found_object *out)
{
    const struct found_object *was;
    int result = read_object_result(read, &was);

    /* first: if the deletion ends meanwhile, it is in a commit after which nothing is current */
    if (writer_is_dropping(&store->writer, hash)) {
        return ERR_NOT_FOUND;
    }
    if (is_current(store, was)) {
        return result ? result : share(store, read, &was->object, &out->object);
    }
    int err = locate(store, hash, WALK_NOW, out);
    if (err) {
        return err;
    }
    return !result && is_same_place(&was->location, &out->location)
               ? share(store, read, &was->object, &out->object)
               : find_located(store, hash, key, WALK_NOW, out);
}

int store_find_now(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                   struct store_read *read, struct store_object *out)
{
    struct found_object found = {0};
    int err = read && store_read_is_done(read) ? find_with(store, hash, key, read, &found)
                                               : find_object(store, hash, key, WALK_NOW, &found);

    if (err != ERR_AGAIN) {
        count_find(store, err);
    }
    *out = found.object;
    return err;
}

/* ---- uses, and the end ---- */

static void count_uses(struct segments *segments, uint32_t id, uint32_t number, unsigned uses)
{
    struct segment *segment = segments_slot(segments, id);

    if (segment_pin(segment, id, false)) {
        ledger_use(&segment->ledger, number, uses);
        segments_unpin(segments, segment);
    }
}

void store_used(struct store *store, const struct store_object *object)
{
    count_uses(&store->disk.segments, object->segment, object->number, 1);
}

void store_touch(struct store *store, const uint8_t hash[STORE_HASH], unsigned uses)
{
    struct location location;
    uint64_t commit;

    if (lookup_location(store->disk.index, hash, WALK_NOW, &location, &commit) == 0) {
        count_uses(&store->disk.segments, location.segment, location.object, uses);
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
    store_read_unref(object->read);
    *object = (struct store_object){0};
}
