#include "cache/store/store.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/store/writer.h"

#include <errno.h>
#include <stdatomic.h>

#define STORE_SIZE_MIN (UINT64_C(16) << 20)

/* Counted by lane, so that readers do not fight for a cache line. */
struct find_counters {
    _Atomic uint64_t found, missed;
    char pad[48];
};

struct store {
    struct disk disk;
    struct writer writer;
    uint64_t dirty_limit;
    struct find_counters finds[ENV_LANES];
};

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
    writer_init(&store->writer, &store->disk);
    int err = disk_open(&store->disk, options, writer_reap, &store->writer);
    if (!err) {
        err = writer_start(&store->writer);
    }
    if (err) {
        log_error("store_open", "dir=%s err=%s", options->path, err_text(err));
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
        writer_stop(&store->writer);
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

/* ---- reading ---- */

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

/* ---- writing ---- */

int store_put_begin_anyway(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                           struct store_put **out)
{
    *out = NULL;
    if (key.len > STORE_KEY_MAX) {
        return ERR_TOO_LARGE;
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
    if (atomic_load_explicit(&store->writer.dirty, memory_order_relaxed) > store->dirty_limit) {
        return ERR_BUSY;
    }
    return store_put_begin_anyway(store, hash, key, out);
}

bool store_is_behind(const struct store *store)
{
    return atomic_load_explicit(&store->writer.dirty, memory_order_relaxed) >
           store->dirty_limit / 2;
}

void store_put_chunk(struct store_put *put, const struct store_piece *pieces, size_t count,
                     void (*done)(void *arg, int err, const struct store_chunk *chunk), void *arg)
{
    struct op *op = op_new(OP_CHUNK, pieces, count);

    CHECK(op->body_len > 0 && op->body_len <= STORE_CHUNK && !put->ended_short);
    put->ended_short = op->body_len < STORE_CHUNK;
    op->put = put;
    op->chunk_done = done;
    op->arg = arg;
    writer_post(&put->store->writer, op);
}

void store_put_finish(struct store_put *put, struct span head, const void *meta, size_t meta_len,
                      uint64_t body_len, const struct store_piece *pieces, size_t count,
                      void (*done)(void *arg, int err), void *arg)
{
    struct op *op = op_new(OP_FINISH, pieces, count);

    op->put = put;
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

/* The writer's thread looks at them only when it comes to the end, which is not posted yet. */
void store_put_rename(struct store_put *put, const uint8_t hash[STORE_HASH], struct span key)
{
    CHECK(key.len <= STORE_KEY_MAX);
    store_put_set_key(put, hash, key);
}

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

void store_drop(struct store *store, const uint8_t hash[STORE_HASH],
                void (*done)(void *arg, int err), void *arg)
{
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

    (void)err; /* each operation before has its own answer */
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

void store_stats(struct store *store, struct store_stats *out)
{
    struct disk *disk = &store->disk;
    struct disk_counters *counters = &disk->counters;

    *out = (struct store_stats){
        .size = disk->size,
        .used = atomic_load(&counters->used),
        .objects = index_objects(disk->index),
        .segments = atomic_load(&counters->segments),
        .dirty = atomic_load(&store->writer.dirty),
        .written_bytes = atomic_load(&counters->written_bytes),
        .written_objects = atomic_load(&counters->written_objects),
        .commits = atomic_load(&counters->commits),
        .commit_errors = atomic_load(&counters->commit_errors),
        .evicted_segments = atomic_load(&counters->evicted_segments),
        .corrupt = atomic_load(&counters->corrupt),
    };
    for (unsigned i = 0; i < ENV_LANES; i++) {
        out->stored_finds += atomic_load(&store->finds[i].found);
        out->missed_finds += atomic_load(&store->finds[i].missed);
    }
}
