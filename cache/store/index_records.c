/* index_records - the records of objects in the index: lookup, replacement, deletion, iteration. */
#include "cache/store/index_parts.h"

#include "base/err.h"

/* ---- one record, for the writer ---- */

int index_peek(struct index *index, const uint8_t hash[STORE_HASH], struct location *out)
{
    MDB_val key = env_val(hash, STORE_HASH);
    MDB_val val;
    int err = index_vouch(index, INDEX_OBJECTS, key, VOUCH_READ);

    if (!err) {
        err = index_error(index, mdb_get(index->txn, index->objects, &key, &val));
    }
    return err ? err : location_read(span_of(val.mv_data, val.mv_size), hash, out);
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
    int err = index_vouch(index, INDEX_OBJECTS, key, VOUCH_PUT);

    return err ? err : index_error(index, mdb_put(index->txn, index->objects, &key, &val, 0));
}

int index_drop(struct index *index, const uint8_t hash[STORE_HASH])
{
    MDB_val key = env_val(hash, STORE_HASH);
    int err = index_vouch(index, INDEX_OBJECTS, key, VOUCH_DELETE);

    if (!err) {
        err = index_error(index, mdb_del(index->txn, index->objects, &key, NULL));
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* ---- iterating, for any thread ---- */

struct reading {
    struct index_object *out;
    size_t max, count;
};

static bool read_object(void *arg, struct span key, struct span value)
{
    struct reading *reading = arg;
    struct index_object *out = &reading->out[reading->count++];
    size_t len = key.len < STORE_HASH ? key.len : STORE_HASH;

    *out = (struct index_object){0};
    memcpy(out->hash, key.at, len);
    out->err =
        key.len == STORE_HASH ? location_read(value, out->hash, &out->location) : ERR_CORRUPT;
    return reading->count < reading->max;
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
    struct reading reading = {.out = out, .max = max};
    int err = index_walk(index, INDEX_OBJECTS, span_of(from, STORE_HASH), read_object, &reading);

    *count = reading.count;
    return err ? err : move_behind(from, &out[max - 1], reading.count == max);
}

int index_objects(struct index *index, uint64_t *out)
{
    return index_count(index, INDEX_OBJECTS, out);
}

/* ---- deleting dead records ---- */

static bool is_same(const struct location *a, const struct location *b)
{
    return a->segment == b->segment && a->object == b->object && a->low_segment == b->low_segment &&
           a->head_segment == b->head_segment && a->head_object == b->head_object;
}

/* Deletes a dead record, unless the writer's transaction has changed it. */
static int sweep_one(struct index *index, const struct index_object *found,
                     bool (*is_dead)(void *arg, const struct location *location), void *arg)
{
    struct location now;

    if (!found->err && !is_dead(arg, &found->location)) {
        return 0;
    }
    int err = index_peek(index, found->hash, &now);
    if (index->is_unsound) {
        return err;
    }
    bool dead = found->err ? err == found->err : err == 0 && is_same(&now, &found->location);
    return dead ? index_drop(index, found->hash) : 0;
}

int index_sweep(struct index *index, unsigned count,
                bool (*is_dead)(void *arg, const struct location *location), void *arg)
{
    enum { STEP = 64 };
    struct index_object found[STEP];
    size_t wanted, got;
    int err;

    do {
        wanted = count < STEP ? count : STEP;
        err = index_next(index, index->sweep_from, found, wanted, &got);
        index->is_unsound |= err == ERR_CORRUPT;
        for (size_t i = 0; i < got && !err; i++) {
            err = sweep_one(index, &found[i], is_dead, arg);
        }
        count -= (unsigned)wanted;
    } while (!err && count > 0 && got == wanted);
    return err;
}
