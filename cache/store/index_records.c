/* index_records - the records of objects in the index: lookup, replacement, deletion, iteration. */
#include "cache/store/index.h"

#include "base/err.h"

/* ---- one record, for the writer ---- */

int index_peek(struct index *index, const uint8_t hash[STORE_HASH], struct location *out)
{
    MDB_val key = env_val(hash, STORE_HASH);
    MDB_val val;
    int err = mdb_get(index->txn, index->objects, &key, &val);

    return err ? env_error(err) : location_read(span_of(val.mv_data, val.mv_size), hash, out);
}

uint64_t index_entries(struct index *index)
{
    MDB_stat stat = {0};

    mdb_stat(index->txn, index->objects, &stat);
    return stat.ms_entries;
}

int index_put(struct index *index, const uint8_t hash[STORE_HASH], const struct location *location)
{
    uint8_t bytes[LOCATION_MAX];
    MDB_val key = env_val(hash, STORE_HASH);
    MDB_val val = env_val(bytes, location_write(location, hash, bytes));

    return env_error(mdb_put(index->txn, index->objects, &key, &val, 0));
}

int index_drop(struct index *index, const uint8_t hash[STORE_HASH])
{
    MDB_val key = env_val(hash, STORE_HASH);
    int err = mdb_del(index->txn, index->objects, &key, NULL);

    return err == MDB_NOTFOUND ? 0 : env_error(err);
}

/* ---- iterating, for any thread ---- */

struct reading {
    struct index *index;
    MDB_txn *txn;
    MDB_cursor *cursor; /* closed by the caller of the guarded call */
    const uint8_t *from;
    struct index_object *out;
    size_t max, count;
};

static void read_object(MDB_val key, MDB_val val, struct index_object *out)
{
    size_t len = key.mv_size < STORE_HASH ? key.mv_size : STORE_HASH;

    *out = (struct index_object){0};
    memcpy(out->hash, key.mv_data, len);
    out->err = key.mv_size == STORE_HASH
                   ? location_read(span_of(val.mv_data, val.mv_size), out->hash, &out->location)
                   : ERR_CORRUPT;
}

static int call_next(void *arg)
{
    struct reading *reading = arg;
    MDB_val key = env_val(reading->from, STORE_HASH);
    MDB_val val;
    int err = mdb_cursor_open(reading->txn, reading->index->objects, &reading->cursor);

    if (!err) {
        err = mdb_cursor_get(reading->cursor, &key, &val, MDB_SET_RANGE);
    }
    while (!err) {
        if (val.mv_size > LOCATION_MAX) {
            val.mv_size = 0; /* not a record of ours, maybe incomplete */
        }
        read_object(key, val, &reading->out[reading->count]);
        if (++reading->count == reading->max) {
            return 0;
        }
        err = mdb_cursor_get(reading->cursor, &key, &val, MDB_NEXT);
    }
    return err == MDB_NOTFOUND ? 0 : env_error(err);
}

/* The next key. False: there is none. */
static bool advance(uint8_t key[STORE_HASH])
{
    for (size_t i = STORE_HASH; i > 0; i--) {
        if (++key[i - 1] != 0) {
            return true;
        }
    }
    return false;
}

/* Advances behind the records read. Keys that do not ascend come from a damaged tree, through which
 * the iteration would never end. */
static int move_behind(uint8_t from[STORE_HASH], const struct index_object *last, bool more)
{
    if (!more) {
        memset(from, 0, STORE_HASH);
        return 0;
    }
    if (memcmp(last->hash, from, STORE_HASH) < 0) {
        return ERR_CORRUPT;
    }
    memcpy(from, last->hash, STORE_HASH);
    return advance(from) ? 0 : ERR_CORRUPT;
}

int index_next(struct index *index, uint8_t from[STORE_HASH], struct index_object *out, size_t max,
               size_t *count)
{
    struct reading reading = {.index = index, .from = from, .out = out, .max = max};

    *count = 0;
    int err = env_read_begin(&index->env, &reading.txn);
    if (err) {
        return err;
    }
    err = env_lookup(&index->env, call_next, &reading);
    if (reading.cursor) {
        mdb_cursor_close(reading.cursor);
    }
    env_read_end(&index->env, reading.txn);
    *count = reading.count;
    return err ? err : move_behind(from, &out[max - 1], reading.count == max);
}

struct counting {
    struct index *index;
    MDB_txn *txn;
    MDB_stat stat;
};

static int call_count(void *arg)
{
    struct counting *counting = arg;

    return env_error(mdb_stat(counting->txn, counting->index->objects, &counting->stat));
}

int index_objects(struct index *index, uint64_t *out)
{
    struct counting counting = {.index = index};
    int err = env_read_begin(&index->env, &counting.txn);

    if (err) {
        return err;
    }
    err = env_lookup(&index->env, call_count, &counting); /* it reads the root of the tree */
    env_read_end(&index->env, counting.txn);
    if (!err) {
        *out = counting.stat.ms_entries;
    }
    return err;
}

/* ---- deleting dead records ---- */

static int sweep_one(MDB_cursor *cursor, MDB_val key, MDB_val val,
                     bool (*is_dead)(void *arg, const struct location *location), void *arg)
{
    struct location location;
    bool dead = key.mv_size != STORE_HASH ||
                location_read(span_of(val.mv_data, val.mv_size), key.mv_data, &location) != 0 ||
                is_dead(arg, &location);

    return dead ? mdb_cursor_del(cursor, 0) : 0;
}

static int sweep_with(struct index *index, MDB_cursor *cursor, unsigned count,
                      bool (*is_dead)(void *arg, const struct location *location), void *arg)
{
    MDB_val key = env_val(index->sweep_from, STORE_HASH);
    MDB_val val;
    int err = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);

    for (unsigned i = 0; !err && i < count; i++) {
        err = sweep_one(cursor, key, val, is_dead, arg);
        if (!err) {
            err = mdb_cursor_get(cursor, &key, &val, MDB_NEXT);
        }
    }
    memset(index->sweep_from, 0, STORE_HASH); /* begins again after the last record */
    if (!err && key.mv_size == STORE_HASH) {
        memcpy(index->sweep_from, key.mv_data, STORE_HASH);
    }
    return err == MDB_NOTFOUND ? 0 : env_error(err);
}

int index_sweep(struct index *index, unsigned count,
                bool (*is_dead)(void *arg, const struct location *location), void *arg)
{
    MDB_cursor *cursor;
    int err = env_error(mdb_cursor_open(index->txn, index->objects, &cursor));

    if (!err) {
        err = sweep_with(index, cursor, count, is_dead, arg);
        mdb_cursor_close(cursor);
    }
    return err;
}
