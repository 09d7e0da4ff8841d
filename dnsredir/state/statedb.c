#include "dnsredir/state/statedb.h"

#include "base/check.h"
#include "base/err.h"
#include "base/folder_lock.h"
#include "base/guard.h"
#include "base/lmdb_file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Address space, not memory: 10,000 names of 64 records of 1 KiB fill it. */
#define MAP_SIZE (UINT64_C(1) << 30)
#define CHECK_LEN 8 /* behind each value */

struct statedb {
    MDB_env *env;
    MDB_txn *txn, *part; /* `part` is inside `txn` */
    MDB_dbi tables[STATEDB_TABLES];
    int lock; /* a file of its own. LMDB's would be mapped and written to: SIGBUS on a full disk */
};

static const char *const table_names[STATEDB_TABLES] = {
    [STATEDB_DYNAMIC] = "bound", /* so called by files that exist */
    [STATEDB_SERIALS] = "serials",
    [STATEDB_SIGNED] = "signed",
    [STATEDB_DRAINED] = "drained",
};

/* The checksum of a value under its key and in its table, so that a value that a damaged page shows
 * in the wrong place is found, too. It needs no secret, since the disk is not an attacker. */
static uint64_t check_of(enum statedb_table table, struct span key, struct span value)
{
    const struct sip_key of_keys = {(uint64_t)table, 0};
    const struct sip_key of_values = {(uint64_t)table, sip_hash64(&of_keys, key)};

    return sip_hash64(&of_values, value);
}

/* Checks a value and returns it without its checksum. Returns 0 or ERR_CORRUPT. */
static int open_value(enum statedb_table table, struct span key, const MDB_val *val,
                      struct span *out)
{
    uint64_t check;

    if (val->mv_size < CHECK_LEN) {
        return ERR_CORRUPT;
    }
    *out = span_of(val->mv_data, val->mv_size - CHECK_LEN);
    memcpy(&check, out->at + out->len, sizeof(check));
    return check == check_of(table, key, *out) ? 0 : ERR_CORRUPT;
}

/* ---- opening ---- */

/* LMDB calls this before it would abort the process. */
static void on_impossible(MDB_env *env, const char *message)
{
    log_error("state_damaged", "what=%s", message);
    guard_leave();
}

static int open_env(struct statedb *db, const char *dir)
{
    const struct lmdb_file_plan plan = {.map_size = MAP_SIZE,
                                        .tables = STATEDB_TABLES,
                                        .flags = MDB_NOLOCK,
                                        .on_impossible = on_impossible};
    char path[PATH_MAX];
    struct stat before;

    if ((size_t)snprintf(path, sizeof(path), "%s/" STATEDB_FILE, dir) >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    int err = stat(path, &before) == 0 ? 0 : -errno;
    bool is_new = err == -ENOENT;
    if (err && !is_new) {
        return err;
    }
    if (!is_new && before.st_size == 0) {
        return ERR_CORRUPT; /* it was there, and has lost everything */
    }
    err = lmdb_file_open(path, &plan, &db->env);
    if (err && is_new) {
        unlink(path); /* what a full disk has left would be a damaged file */
    }
    return err;
}

static int open_tables(struct statedb *db)
{
    int err = statedb_begin(db);

    for (unsigned i = 0; i < STATEDB_TABLES && !err; i++) {
        err = lmdb_file_error(mdb_dbi_open(db->txn, table_names[i], MDB_CREATE, &db->tables[i]));
    }
    if (err) {
        statedb_abort(db);
        return err;
    }
    return statedb_commit(db);
}

struct opening {
    struct statedb *db;
    const char *dir;
};

static int call_open(void *arg)
{
    const struct opening *opening = arg;
    int err = open_env(opening->db, opening->dir);

    return err ? err : open_tables(opening->db);
}

int statedb_open(const char *dir, struct statedb **out)
{
    struct statedb *db = xcalloc(1, sizeof(*db));
    struct opening opening = {db, dir};

    db->lock = -1;
    int err = folder_lock(dir, "lock", &db->lock);
    if (!err) {
        err = statedb_work(&db, call_open, &opening);
    }
    if (err) {
        statedb_close(&db);
    }
    *out = db;
    return err;
}

struct working {
    int (*call)(void *arg);
    void *arg;
    bool ended;
};

static int call_work(void *arg)
{
    struct working *working = arg;
    int err = working->call(working->arg);

    working->ended = true;
    return err;
}

int statedb_work(struct statedb **db, int (*call)(void *arg), void *arg)
{
    struct working working = {call, arg, false};
    int err = guard_work(call_work, &working);

    if (!working.ended) { /* its locks are still held, and its memory may be inconsistent */
        guard_bury(*db);
        *db = NULL;
    }
    return err;
}

void statedb_close(struct statedb **db)
{
    struct statedb *d = *db;

    if (!d) {
        return;
    }
    *db = NULL;
    statedb_abort(d);
    if (d->env) {
        mdb_env_close(d->env);
    }
    if (d->lock >= 0) {
        close(d->lock);
    }
    free(d);
}

/* ---- transactions ---- */

int statedb_begin(struct statedb *db)
{
    CHECK(!db->txn);
    return lmdb_file_error(mdb_txn_begin(db->env, NULL, 0, &db->txn));
}

int statedb_commit(struct statedb *db)
{
    MDB_txn *txn = db->txn;

    CHECK(txn && !db->part);
    db->txn = NULL;
    return lmdb_file_error(mdb_txn_commit(txn));
}

void statedb_abort(struct statedb *db)
{
    if (db->part) {
        mdb_txn_abort(db->part);
        db->part = NULL;
    }
    if (db->txn) {
        mdb_txn_abort(db->txn);
        db->txn = NULL;
    }
}

int statedb_part_begin(struct statedb *db)
{
    CHECK(db->txn && !db->part);
    return lmdb_file_error(mdb_txn_begin(db->env, db->txn, 0, &db->part));
}

int statedb_part_end(struct statedb *db, bool keep)
{
    MDB_txn *part = db->part;

    CHECK(part);
    db->part = NULL;
    if (keep) {
        return lmdb_file_error(mdb_txn_commit(part));
    }
    mdb_txn_abort(part);
    return 0;
}

static MDB_txn *current(const struct statedb *db)
{
    CHECK(db->txn);
    return db->part ? db->part : db->txn;
}

/* ---- entries ---- */

int statedb_get(struct statedb *db, enum statedb_table table, struct span key, struct span *value)
{
    MDB_val at = lmdb_file_val(key);
    MDB_val val;
    int err = lmdb_file_error(mdb_get(current(db), db->tables[table], &at, &val));

    err = err ? err : open_value(table, key, &val, value);
    if (err) {
        *value = SPAN_EMPTY;
    }
    return err;
}

int statedb_put(struct statedb *db, enum statedb_table table, struct span key, struct span value)
{
    MDB_val at = lmdb_file_val(key);
    MDB_val val = {value.len + CHECK_LEN, NULL};
    uint64_t check = check_of(table, key, value);
    int err = lmdb_file_error(mdb_put(current(db), db->tables[table], &at, &val, MDB_RESERVE));

    if (!err) {
        char *to = val.mv_data;
        if (value.len) {
            memcpy(to, value.at, value.len);
        }
        memcpy(to + value.len, &check, sizeof(check));
    }
    return err;
}

int statedb_drop(struct statedb *db, enum statedb_table table, struct span key)
{
    MDB_val at = lmdb_file_val(key);

    return lmdb_file_error(mdb_del(current(db), db->tables[table], &at, NULL));
}

size_t statedb_count(struct statedb *db, enum statedb_table table)
{
    MDB_stat stat;

    return mdb_stat(current(db), db->tables[table], &stat) == 0 ? stat.ms_entries : 0;
}

int statedb_each(struct statedb *db, enum statedb_table table,
                 void (*visit)(void *arg, struct span key, struct span value), void *arg)
{
    MDB_cursor *cursor;
    MDB_val key, val;
    bool damaged = false;
    size_t count = 0;
    int err = mdb_cursor_open(current(db), db->tables[table], &cursor);

    if (err) {
        return lmdb_file_error(err);
    }
    for (err = mdb_cursor_get(cursor, &key, &val, MDB_FIRST); !err;
         err = mdb_cursor_get(cursor, &key, &val, MDB_NEXT), count++) {
        struct span at = span_of(key.mv_data, key.mv_size), value;
        if (open_value(table, at, &val, &value)) {
            damaged = true;
        } else {
            visit(arg, at, value);
        }
    }
    mdb_cursor_close(cursor);
    damaged = damaged || count != statedb_count(db, table);
    return err != MDB_NOTFOUND ? lmdb_file_error(err) : damaged ? ERR_CORRUPT : 0;
}
