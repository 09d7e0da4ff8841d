/* index_segments - what the index knows about segments: their properties, and the uses of their
 * objects. */
#include "cache/store/index.h"

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
static_assert(sizeof(struct segment_info) == 24, "no padding");

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

static int drop_uses(MDB_cursor *cursor, uint32_t id)
{
    for (;;) {
        uint64_t at = uses_key(id, 0);
        MDB_val key = env_val(&at, sizeof(at));
        MDB_val val;
        int err = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);
        if (err || key.mv_size != sizeof(at)) {
            return err == MDB_NOTFOUND ? 0 : env_error(err);
        }
        memcpy(&at, key.mv_data, sizeof(at));
        if (at >> 32 != id) {
            return 0;
        }
        err = mdb_cursor_del(cursor, 0);
        if (err) {
            return env_error(err);
        }
    }
}

int index_put_uses(struct index *index, uint32_t id, uint32_t block, struct span uses,
                   bool *written)
{
    uint64_t at = uses_key(id, block);
    MDB_val key = env_val(&at, sizeof(at));
    MDB_val val = env_val(uses.at, uses.len);
    MDB_val old;

    if (mdb_get(index->txn, index->uses, &key, &old) == 0 &&
        span_eq(span_of(old.mv_data, old.mv_size), uses)) {
        *written = false;
        return 0;
    }
    *written = true;
    return env_error(mdb_put(index->txn, index->uses, &key, &val, 0));
}

static int walk_uses(MDB_cursor *cursor, uint32_t id,
                     void (*each)(void *arg, uint32_t block, struct span uses), void *arg)
{
    uint64_t at = uses_key(id, 0);
    MDB_val key = env_val(&at, sizeof(at));
    MDB_val val;
    int err = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);

    while (!err && key.mv_size == sizeof(at)) {
        memcpy(&at, key.mv_data, sizeof(at));
        if (at >> 32 != id) {
            break;
        }
        each(arg, (uint32_t)at, span_of(val.mv_data, val.mv_size));
        err = mdb_cursor_get(cursor, &key, &val, MDB_NEXT);
    }
    return err == MDB_NOTFOUND ? 0 : env_error(err);
}

int index_each_uses(struct index *index, uint32_t id,
                    void (*each)(void *arg, uint32_t block, struct span uses), void *arg)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    int err = env_read_begin(&index->env, &txn);

    if (err) {
        return err;
    }
    err = env_error(mdb_cursor_open(txn, index->uses, &cursor));
    if (!err) {
        err = walk_uses(cursor, id, each, arg);
        mdb_cursor_close(cursor);
    }
    env_read_end(&index->env, txn);
    return err;
}

/* ---- segments ---- */

int index_put_segment(struct index *index, const struct index_segment *segment)
{
    struct segment_info info = {
        .capacity = segment->capacity, .created = segment->created, .log = segment->log};
    info.sum = info_sum(&info, segment->id);
    uint32_t next = segment->id + 1;
    MDB_val key = env_val(&segment->id, sizeof(segment->id));
    MDB_val val = env_val(&info, sizeof(info));
    int err = mdb_put(index->txn, index->segments, &key, &val, 0);

    if (!err) {
        key = env_val("next", 4);
        val = env_val(&next, sizeof(next));
        err = mdb_put(index->txn, index->meta, &key, &val, 0);
    }
    return env_error(err);
}

int index_drop_segment(struct index *index, uint32_t id)
{
    MDB_val key = env_val(&id, sizeof(id));
    MDB_cursor *cursor;
    int err = mdb_del(index->txn, index->segments, &key, NULL);

    if (err && err != MDB_NOTFOUND) {
        return env_error(err);
    }
    err = env_error(mdb_cursor_open(index->txn, index->uses, &cursor));
    if (!err) {
        err = drop_uses(cursor, id);
        mdb_cursor_close(cursor);
    }
    return err;
}

static int read_segment(MDB_val key, MDB_val val, struct index_segment *out)
{
    struct segment_info info;

    if (key.mv_size != sizeof(out->id) || val.mv_size != sizeof(info)) {
        return ERR_CORRUPT;
    }
    memcpy(&out->id, key.mv_data, sizeof(out->id));
    memcpy(&info, val.mv_data, sizeof(info));
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

static int walk_segments(MDB_cursor *cursor,
                         void (*each)(void *arg, const struct index_segment *segment), void *arg)
{
    struct index_segment segment;
    MDB_val key, val;
    int err;

    while ((err = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) == 0) {
        if (read_segment(key, val, &segment) != 0) {
            return ERR_CORRUPT;
        }
        each(arg, &segment);
    }
    return err == MDB_NOTFOUND ? 0 : env_error(err);
}

int index_each_segment(struct index *index,
                       void (*each)(void *arg, const struct index_segment *segment), void *arg)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    int err = env_read_begin(&index->env, &txn);

    if (err) {
        return err;
    }
    err = env_error(mdb_cursor_open(txn, index->segments, &cursor));
    if (!err) {
        err = walk_segments(cursor, each, arg);
        mdb_cursor_close(cursor);
    }
    env_read_end(&index->env, txn);
    return err;
}
