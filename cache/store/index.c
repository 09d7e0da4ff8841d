#include "cache/store/index.h"

#include "base/err.h"
#include "base/mem.h"
#include "cache/store/sound.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#define INDEX_VERSION 2

/* Address space costs nothing: the file grows as it is used, and evict.c watches its size. */
#define INDEX_MAP_MIN (UINT64_C(1) << 30)

/* Under "store" in `meta`. */
struct identity {
    uint32_t version;
    uint32_t zero;
    uint8_t uuid[16];
    uint64_t k0, k1;
    uint64_t sum; /* of what is before it */
};

/* In `seg`. */
struct segment_info {
    uint64_t capacity;
    int64_t created;
    uint32_t log;
    uint32_t zero;
};

static void index_path(const char *dir, const char *suffix, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/index.mdb%s", dir, suffix);
}

static int identity_read(struct index *index, MDB_val val)
{
    struct identity is;

    if (val.mv_size != sizeof(is)) {
        return ERR_CORRUPT;
    }
    memcpy(&is, val.mv_data, sizeof(is));
    if (is.version != INDEX_VERSION || is.sum != XXH3_64bits(&is, offsetof(struct identity, sum))) {
        return ERR_CORRUPT;
    }
    memcpy(index->uuid, is.uuid, sizeof(index->uuid));
    index->secret = (struct sip_key){is.k0, is.k1};
    return 0;
}

int index_identity(struct span value, uint8_t uuid[16])
{
    struct index index;
    int err = identity_read(&index, env_val(value.at, value.len));

    if (!err) {
        memcpy(uuid, index.uuid, sizeof(index.uuid));
    }
    return err;
}

static int identity_create(struct index *index, MDB_txn *txn, const struct index *heir_of)
{
    struct identity is = {.version = INDEX_VERSION};
    MDB_val key = env_val("store", 5);
    MDB_val val = env_val(&is, sizeof(is));

    if (heir_of) {
        index->secret = heir_of->secret;
        memcpy(index->uuid, heir_of->uuid, sizeof(index->uuid));
    } else {
        struct sip_key uuid = sip_key_random();
        index->secret = sip_key_random();
        memcpy(index->uuid, &uuid, sizeof(index->uuid));
    }
    memcpy(is.uuid, index->uuid, sizeof(is.uuid));
    is.k0 = index->secret.k0;
    is.k1 = index->secret.k1;
    is.sum = XXH3_64bits(&is, offsetof(struct identity, sum));
    return env_error(mdb_put(txn, index->meta, &key, &val, 0));
}

static int identity_load(struct index *index, MDB_txn *txn)
{
    MDB_val key = env_val("store", 5);
    MDB_val val;
    int err = env_get(&index->env, txn, index->meta, &key, &val);

    if (!err) {
        env_locate(&index->env, &val);
    }
    return err ? err : identity_read(index, val);
}

static int next_id_load(struct index *index, MDB_txn *txn)
{
    MDB_val key = env_val("next", 4);
    MDB_val val;
    int err = mdb_get(txn, index->meta, &key, &val);

    index->next_id = 1;
    if (!err && val.mv_size == sizeof(index->next_id)) {
        memcpy(&index->next_id, val.mv_data, sizeof(index->next_id));
    }
    return err == MDB_NOTFOUND ? 0 : env_error(err);
}

static int open_databases(struct index *index, MDB_txn *txn, unsigned flags)
{
    int err = env_open_database(txn, "meta", flags, &index->meta);

    if (!err) {
        err = env_open_database(txn, "seg", flags | MDB_INTEGERKEY, &index->segments);
    }
    if (!err) {
        err = env_open_database(txn, "obj", flags, &index->objects);
    }
    if (!err) {
        err = env_open_database(txn, "uses", flags | MDB_INTEGERKEY, &index->uses);
    }
    return err;
}

static int create(struct index *index, const struct index *heir_of)
{
    MDB_txn *txn;
    int err = env_error(mdb_txn_begin(index->env.lmdb, NULL, 0, &txn));

    if (err) {
        return err;
    }
    err = open_databases(index, txn, MDB_CREATE);
    if (!err) {
        err = identity_create(index, txn, heir_of);
    }
    if (err) {
        mdb_txn_abort(txn);
        return err;
    }
    return env_error(mdb_txn_commit(txn));
}

static int load(struct index *index)
{
    MDB_txn *txn;
    int err = env_error(mdb_txn_begin(index->env.lmdb, NULL, MDB_RDONLY, &txn));

    if (err) {
        return err;
    }
    err = open_databases(index, txn, 0);
    if (!err) {
        err = identity_load(index, txn);
    }
    if (!err) {
        err = next_id_load(index, txn);
    }
    if (err) {
        mdb_txn_abort(txn);
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    return env_error(mdb_txn_commit(txn)); /* keeps the databases open */
}

static int open_file(struct index *index, const char *path, uint64_t size,
                     const struct index *heir_of)
{
    int err = env_open(&index->env, path, size > INDEX_MAP_MIN ? size : INDEX_MAP_MIN, 0);

    if (err) {
        return err;
    }
    if (env_commits(&index->env) == 0) { /* or its creation was not finished */
        err = create(index, heir_of);
    }
    if (!err) {
        err = load(index);
    }
    if (err) {
        env_close(&index->env);
    }
    return err;
}

int index_open(struct index *index, const char *dir, uint64_t size, const struct index *heir_of)
{
    char path[PATH_MAX];

    *index = (struct index){0};
    index_path(dir, "", path);
    int err = sound_check_without(path, "obj");
    return err ? err : open_file(index, path, size, heir_of);
}

/* Once from front to back: the walk jumps, and a disk reads a page at a time as long as all. */
static void read_through(const char *path)
{
    enum { STEP = 1 << 20 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = fd < 0 ? NULL : xmalloc(STEP);

    while (bytes && read(fd, bytes, STEP) > 0) {
    }
    free(bytes);
    if (fd >= 0) {
        close(fd);
    }
}

int index_check(const char *dir)
{
    char path[PATH_MAX];

    index_path(dir, "", path);
    read_through(path);
    return sound_check(path);
}

void index_close(struct index *index)
{
    index_abort(index);
    env_close(&index->env);
}

void index_remove(const char *dir)
{
    char path[PATH_MAX];

    index_path(dir, "", path);
    unlink(path);
    index_path(dir, "-lock", path);
    unlink(path);
}

void index_part(const char *dir)
{
    char path[PATH_MAX];

    index_path(dir, "-lock", path);
    unlink(path);
}

/* ---- all records ---- */

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
            val.mv_size = 0; /* none of ours, and maybe not all there */
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

/* Behind what was read. Keys that do not rise are those of a damaged tree, and have no end. */
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

uint64_t index_used(const struct index *index)
{
    return env_pages(&index->env) * index->env.page_size;
}

uint64_t index_objects(struct index *index)
{
    MDB_txn *txn;
    MDB_stat stat = {0};

    if (env_read_begin(&index->env, &txn) == 0) {
        mdb_stat(txn, index->objects, &stat);
        env_read_end(&index->env, txn);
    }
    return stat.ms_entries;
}

/* ---- the writer ---- */

int index_begin(struct index *index)
{
    int err = mdb_txn_begin(index->env.lmdb, NULL, 0, &index->txn);

    if (err) {
        index->txn = NULL;
    }
    atomic_store(&index->given_up, err == MDB_PANIC);
    return env_error(err);
}

int index_commit(struct index *index)
{
    int err = mdb_txn_commit(index->txn);

    index->txn = NULL;
    if (err) {
        atomic_store(&index->given_up, env_is_given_up(&index->env));
    }
    return env_error(err);
}

void index_abort(struct index *index)
{
    if (index->txn) {
        mdb_txn_abort(index->txn);
        index->txn = NULL;
    }
}

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

int index_put_segment(struct index *index, const struct index_segment *segment)
{
    struct segment_info info = {
        .capacity = segment->capacity, .created = segment->created, .log = segment->log};
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

static int walk_segments(MDB_cursor *cursor,
                         void (*each)(void *arg, const struct index_segment *segment), void *arg)
{
    MDB_val key, val;
    int err;

    while ((err = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) == 0) {
        struct segment_info info;
        struct index_segment segment;
        if (key.mv_size != sizeof(segment.id) || val.mv_size != sizeof(info)) {
            return ERR_CORRUPT;
        }
        memcpy(&segment.id, key.mv_data, sizeof(segment.id));
        memcpy(&info, val.mv_data, sizeof(info));
        if (info.log >= S3_LOGS) {
            return ERR_CORRUPT;
        }
        segment.log = info.log;
        segment.capacity = info.capacity;
        segment.created = info.created;
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
    memset(index->sweep_from, 0, STORE_HASH); /* from the start again behind the last record */
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
