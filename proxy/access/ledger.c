#include "proxy/access/ledger.h"

#include "base/check.h"
#include "base/err.h"
#include "base/folder_lock.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Address space, not memory. */
#define MAP_SIZE (UINT64_C(1) << 30)
enum { FILE_MODE = 0640, TIDY_MAX = 256 };

struct ledger {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi rows;
    int lock; /* a file of its own: whoever closes LMDB's would lose LMDB's locks */
    char tidied[LEDGER_KEY_MAX]; /* where tidying continues */
    size_t tidied_len;
};

static int error_of(int result)
{
    switch (result) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return ERR_FULL;
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
        return ERR_CORRUPT;
    }
    return result > 0 ? -result : ERR_IO;
}

static MDB_val val_of(struct span bytes)
{
    MDB_val val = {bytes.len, NULL};

    memcpy(&val.mv_data, &bytes.at, sizeof(bytes.at)); /* not const, but LMDB never writes there */
    return val;
}

/* ---- opening ---- */

/* Reading a file that has lost its end would raise SIGBUS. */
static int check_length(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    mdb_filehandle_t fd;
    int err = mdb_env_info(env, &info);

    err = err ? err : mdb_env_stat(env, &stat);
    err = err ? err : mdb_env_get_fd(env, &fd);
    if (err) {
        return error_of(err);
    }
    if (fstat(fd, &file) < 0) {
        return -errno;
    }
    return (uint64_t)file.st_size < (info.me_last_pgno + 1) * stat.ms_psize ? ERR_CORRUPT : 0;
}

static int open_env(struct ledger *ledger, const char *folder)
{
    char path[PATH_MAX];
    int err = error_of(mdb_env_create(&ledger->env));

    if (err) {
        ledger->env = NULL;
        return err;
    }
    if ((size_t)snprintf(path, sizeof(path), "%s/" LEDGER_FILE, folder) >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    err = error_of(mdb_env_set_mapsize(ledger->env, MAP_SIZE));
    if (!err) {
        err = error_of(mdb_env_open(ledger->env, path, MDB_NOSUBDIR | MDB_NOTLS, FILE_MODE));
    }
    return err ? err : check_length(ledger->env);
}

int ledger_open(const char *folder, struct ledger **out)
{
    struct ledger *ledger = xcalloc(1, sizeof(*ledger));

    ledger->lock = -1;
    int err = folder_lock(folder, "larder-quotas.lock", &ledger->lock);
    err = err ? err : open_env(ledger, folder);
    err = err ? err : ledger_begin(ledger);
    if (!err) {
        err = error_of(mdb_dbi_open(ledger->txn, NULL, 0, &ledger->rows));
        int other = ledger_commit(ledger);
        err = err ? err : other;
    }
    if (err) {
        ledger_close(&ledger);
    }
    *out = ledger;
    return err;
}

void ledger_close(struct ledger **slot)
{
    struct ledger *ledger = *slot;

    *slot = NULL;
    if (ledger == NULL) {
        return;
    }
    ledger_abort(ledger);
    if (ledger->env) {
        mdb_env_close(ledger->env);
    }
    if (ledger->lock >= 0) {
        close(ledger->lock);
    }
    free(ledger);
}

/* ---- rows ---- */

static bool row_of(const MDB_val *value, struct ledger_row *row)
{
    if (value->mv_size != sizeof(*row)) {
        return false; /* of another version */
    }
    memcpy(row, value->mv_data, sizeof(*row));
    return true;
}

int ledger_each(struct ledger *ledger,
                bool (*visit)(void *arg, struct span key, const struct ledger_row *row), void *arg)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    struct ledger_row row;
    int err = mdb_txn_begin(ledger->env, NULL, MDB_RDONLY, &txn);

    if (err) {
        return error_of(err);
    }
    err = mdb_cursor_open(txn, ledger->rows, &cursor);
    for (int next = err ? err : mdb_cursor_get(cursor, &key, &value, MDB_FIRST); next == 0;
         next = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        if (row_of(&value, &row) && !visit(arg, span_of(key.mv_data, key.mv_size), &row)) {
            break;
        }
    }
    if (!err) {
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return error_of(err);
}

int ledger_begin(struct ledger *ledger)
{
    CHECK(ledger->txn == NULL);
    return error_of(mdb_txn_begin(ledger->env, NULL, 0, &ledger->txn));
}

static void keep_larger(struct ledger_row *row, const struct ledger_row *old)
{
    for (int i = 0; i < PERIODS; i++) {
        bool later = old->begin[i] > row->begin[i];
        bool more = old->begin[i] == row->begin[i] && old->used[i] > row->used[i];
        if (later || more) {
            row->begin[i] = old->begin[i];
            row->used[i] = old->used[i];
        }
    }
}

int ledger_put(struct ledger *ledger, struct span name, const struct ledger_row *row)
{
    struct ledger_row next = *row, old;
    MDB_val key = val_of(name), value;
    int err = mdb_get(ledger->txn, ledger->rows, &key, &value);

    if (err == 0 && row_of(&value, &old)) {
        keep_larger(&next, &old);
    }
    if (err && err != MDB_NOTFOUND) {
        return error_of(err);
    }
    value = val_of(span_of(&next, sizeof(next)));
    return error_of(mdb_put(ledger->txn, ledger->rows, &key, &value, 0));
}

static bool is_over(const struct ledger_row *row, const struct period_now *now)
{
    for (int i = 0; i < PERIODS; i++) {
        if (row->begin[i] >= now->begin[i]) {
            return false;
        }
    }
    return true;
}

int ledger_tidy(struct ledger *ledger, const struct period_now *now)
{
    MDB_cursor *cursor;
    MDB_val key = {ledger->tidied_len, ledger->tidied}, value;
    struct ledger_row row;
    int err = mdb_cursor_open(ledger->txn, ledger->rows, &cursor);

    if (err) {
        return error_of(err);
    }
    int next = mdb_cursor_get(cursor, &key, &value, ledger->tidied_len ? MDB_SET_RANGE : MDB_FIRST);
    for (int n = 0; n < TIDY_MAX && next == 0 && !err; n++) {
        if (!row_of(&value, &row) || is_over(&row, now)) {
            err = mdb_cursor_del(cursor, 0);
        }
        next = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    ledger->tidied_len = next == 0 && key.mv_size <= LEDGER_KEY_MAX ? key.mv_size : 0;
    memcpy(ledger->tidied, key.mv_data, ledger->tidied_len);
    mdb_cursor_close(cursor);
    return error_of(err);
}

int ledger_commit(struct ledger *ledger)
{
    MDB_txn *txn = ledger->txn;

    ledger->txn = NULL;
    return error_of(mdb_txn_commit(txn));
}

void ledger_abort(struct ledger *ledger)
{
    if (ledger->txn) {
        mdb_txn_abort(ledger->txn);
        ledger->txn = NULL;
    }
}
