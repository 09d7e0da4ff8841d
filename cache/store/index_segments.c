/* index_segments - what the index knows about segments: their properties, and the uses of their
 * objects. */
#include "cache/store/index_parts.h"

#include "base/check.h"
#include "base/err.h"

#include <assert.h>
#include <xxhash.h>

/* In `seg`. */
struct segment_info {
    uint64_t capacity;
    int64_t created;
    uint32_t log;
    uint32_t sum; /* of everything before it, and of the id; 0 in records of earlier versions */
};
static_assert(sizeof(struct segment_info) == INDEX_SEGMENT_INFO, "no padding");

static uint32_t info_sum(const struct segment_info *info, uint32_t id)
{
    uint32_t sum = (uint32_t)XXH3_64bits_withSeed(info, offsetof(struct segment_info, sum), id);

    return sum ? sum : 1;
}

/* ---- the uses of their objects ---- */

static uint64_t uses_key(uint32_t id, uint32_t block)
{
    return (uint64_t)id << 32 | block;
}

struct reading {
    uint32_t id;
    void (*each)(void *arg, uint32_t block, struct span uses);
    void *arg;
};

static bool read_uses(void *arg, struct span key, struct span value)
{
    const struct reading *reading = arg;
    uint64_t at;

    if (key.len != sizeof(at)) {
        return true; /* none of ours */
    }
    memcpy(&at, key.at, sizeof(at));
    if (at >> 32 == reading->id) {
        reading->each(reading->arg, (uint32_t)at, value);
    }
    return at >> 32 == reading->id;
}

int index_each_uses(struct index *index, uint32_t id,
                    void (*each)(void *arg, uint32_t block, struct span uses), void *arg)
{
    struct reading reading = {id, each, arg};
    uint64_t from = uses_key(id, 0);

    return index_walk(index, INDEX_USES, span_of(&from, sizeof(from)), read_uses, &reading);
}

static bool note_key(void *arg, struct span key, struct span value)
{
    uint64_t *at = arg;

    (void)value;
    if (key.len == sizeof(*at)) {
        memcpy(at, key.at, sizeof(*at));
    }
    return key.len != sizeof(*at);
}

/* The first key of the segment from *at on, as of the last commit. ERR_NOT_FOUND: there is none. */
static int next_uses(struct index *index, uint64_t *at)
{
    uint64_t found = UINT64_MAX, from = *at;
    int err = index_walk(index, INDEX_USES, span_of(&from, sizeof(from)), note_key, &found);

    *at = found;
    return err ? err : found >> 32 == from >> 32 ? 0 : ERR_NOT_FOUND;
}

/* What the writer's transaction has stored of a segment before it drops it stays: no lookup finds
 * it. */
static int drop_uses(struct index *index, uint32_t id)
{
    uint64_t at = uses_key(id, 0);
    int err;

    while ((err = next_uses(index, &at)) == 0) {
        MDB_val key = env_val(&at, sizeof(at));
        err = index_vouch(index, INDEX_USES, key, VOUCH_DELETE);
        if (!err) {
            err = index_error(index, mdb_del(index->txn, index->uses, &key, NULL));
        }
        if (err && err != ERR_NOT_FOUND) {
            return err;
        }
        at++;
    }
    index->is_unsound |= err == ERR_CORRUPT;
    return err == ERR_NOT_FOUND ? 0 : err;
}

int index_put_uses(struct index *index, uint32_t id, uint32_t block, struct span uses,
                   bool *written)
{
    uint64_t at = uses_key(id, block);
    MDB_val key = env_val(&at, sizeof(at));
    MDB_val val = env_val(uses.at, uses.len);
    MDB_val old;
    int err = index_vouch(index, INDEX_USES, key, VOUCH_PUT);

    CHECK(uses.len <= INDEX_USES_MAX);
    *written = false;
    if (err) {
        return err;
    }
    if (mdb_get(index->txn, index->uses, &key, &old) == 0 &&
        span_eq(span_of(old.mv_data, old.mv_size), uses)) {
        return 0;
    }
    *written = true;
    return index_error(index, mdb_put(index->txn, index->uses, &key, &val, 0));
}

/* ---- segments ---- */

static int put(struct index *index, enum index_tree tree, MDB_val key, MDB_val val)
{
    MDB_dbi db = tree == INDEX_META ? index->meta : index->segments;
    int err = index_vouch(index, tree, key, VOUCH_PUT);

    return err ? err : index_error(index, mdb_put(index->txn, db, &key, &val, 0));
}

int index_put_segment(struct index *index, const struct index_segment *segment)
{
    struct segment_info info = {
        .capacity = segment->capacity, .created = segment->created, .log = segment->log};
    info.sum = info_sum(&info, segment->id);
    uint32_t next = segment->id + 1;
    MDB_val key = env_val(&segment->id, sizeof(segment->id));
    MDB_val val = env_val(&info, sizeof(info));
    int err = put(index, INDEX_SEGMENTS, key, val);

    return err ? err : put(index, INDEX_META, env_val("next", 4), env_val(&next, sizeof(next)));
}

int index_drop_segment(struct index *index, uint32_t id)
{
    MDB_val key = env_val(&id, sizeof(id));
    int err = index_vouch(index, INDEX_SEGMENTS, key, VOUCH_DELETE);

    if (!err) {
        err = index_error(index, mdb_del(index->txn, index->segments, &key, NULL));
    }
    return err && err != ERR_NOT_FOUND ? err : drop_uses(index, id);
}

static int read_segment(struct span key, struct span value, struct index_segment *out)
{
    struct segment_info info;

    if (key.len != sizeof(out->id) || value.len != sizeof(info)) {
        return ERR_CORRUPT;
    }
    memcpy(&out->id, key.at, sizeof(out->id));
    memcpy(&info, value.at, sizeof(info));
    if ((info.sum && info.sum != info_sum(&info, out->id)) || info.log >= S3_LOGS ||
        info.capacity < SEGMENT_CAPACITY_MIN || /* zeros, as a disk may return, have no checksum */
        info.capacity > SEGMENT_CAPACITY_MAX) { /* memory is allocated by it */
        return ERR_CORRUPT;
    }
    out->log = info.log;
    out->capacity = info.capacity;
    out->created = info.created;
    return 0;
}

struct listing {
    void (*each)(void *arg, const struct index_segment *segment);
    void *arg;
    int err;
};

static bool list_one(void *arg, struct span key, struct span value)
{
    struct listing *listing = arg;
    struct index_segment segment;

    listing->err = read_segment(key, value, &segment);
    if (!listing->err) {
        listing->each(listing->arg, &segment);
    }
    return !listing->err;
}

int index_each_segment(struct index *index,
                       void (*each)(void *arg, const struct index_segment *segment), void *arg)
{
    struct listing listing = {.each = each, .arg = arg};
    int err = index_walk(index, INDEX_SEGMENTS, SPAN_EMPTY, list_one, &listing);

    return err ? err : listing.err;
}
