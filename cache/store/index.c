#include "cache/store/index_parts.h"

#include "base/err.h"
#include "base/lmdb_sound.h"
#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#define INDEX_VERSION 2

/* Address space is free: the file grows as needed, and evict.c limits it. */
#define INDEX_MAP_MIN (UINT64_C(1) << 30)

/* The value of "store" in `meta`. */
struct identity {
    uint32_t version;
    uint32_t zero;
    uint8_t uuid[16];
    uint64_t k0, k1;
    uint64_t sum; /* of everything before it */
};

/* ---- what `meta` holds ---- */

static int identity_read(struct index *index, MDB_val val)
{
    struct identity is;

    if (val.mv_size != sizeof(is)) {
        return ERR_CORRUPT;
    }
    memcpy(&is, val.mv_data, sizeof(is));
    if (is.sum != XXH3_64bits(&is, offsetof(struct identity, sum))) {
        return ERR_CORRUPT;
    }
    if (is.version != INDEX_VERSION) {
        return ERR_UNSUPPORTED;
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

/* ---- opening ---- */

static void index_path(const char *dir, const char *suffix, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/index.mdb%s", dir, suffix);
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
    if (env_commits(&index->env) == 0) { /* the file is empty, or its creation was not completed */
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
    int err = lmdb_sound_check_without(path, "obj");
    return err ? err : open_file(index, path, size, heir_of);
}

/* ---- checking the whole file ---- */

/* Reads the file sequentially, because the check visits pages in random order, and a disk reads one
 * page as slowly as many. */
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
    return lmdb_sound_check(path);
}

/* ---- its file ---- */

void index_close(struct index *index)
{
    index_abort(index);
    vouch_fini(&index->vouch);
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

uint64_t index_used(const struct index *index)
{
    return env_pages(&index->env) * index->env.page_size;
}

/* ---- the writer's transaction ---- */

static const struct vouch_tree vouch_trees[INDEX_TREES] = {
    [INDEX_META] = {.name = {"meta", 4}},
    [INDEX_SEGMENTS] = {.name = {"seg", 3},
                        .key_len = sizeof(uint32_t),
                        .numbers = true,
                        .value_max = INDEX_SEGMENT_INFO},
    [INDEX_OBJECTS] = {.name = {"obj", 3}, .key_len = STORE_HASH, .value_max = LOCATION_MAX},
    [INDEX_USES] = {.name = {"uses", 4},
                    .key_len = sizeof(uint64_t),
                    .numbers = true,
                    .value_max = INDEX_USES_MAX},
};

int index_vouch(struct index *index, enum index_tree tree, MDB_val key, enum vouch_use use)
{
    int err = vouch_key(&index->vouch, tree, span_of(key.mv_data, key.mv_size), use);

    index->is_unsound |= err != 0;
    return err;
}

int index_error(struct index *index, int result)
{
    int err = env_error(result);

    index->is_unsound |= err == ERR_CORRUPT;
    return err;
}

int index_begin(struct index *index)
{
    int err = mdb_txn_begin(index->env.lmdb, NULL, 0, &index->txn);

    atomic_store(&index->given_up, err == MDB_PANIC);
    if (err) {
        index->txn = NULL;
        index->is_unsound |= err == MDB_MAP_RESIZED; /* there are not so many pages */
        return env_error(err);
    }
    err = vouch_begin(&index->vouch, &index->env, mdb_txn_id(index->txn) - 1, vouch_trees,
                      INDEX_TREES);
    if (err) {
        index->is_unsound = true;
        index_abort(index);
    }
    return err;
}

int index_commit(struct index *index)
{
    int err = mdb_txn_commit(index->txn);

    index->txn = NULL;
    if (err) {
        atomic_store(&index->given_up, env_is_given_up(&index->env));
    }
    return index_error(index, err);
}

void index_abort(struct index *index)
{
    if (index->txn) {
        mdb_txn_abort(index->txn);
        index->txn = NULL;
    }
}
