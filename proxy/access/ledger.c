#include "proxy/access/ledger.h"

#include "base/check.h"
#include "base/err.h"
#include "base/folder_lock.h"
#include "base/lmdb_file.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Address space, not memory. */
#define MAP_SIZE (UINT64_C(1) << 30)
enum { TIDY_MAX = 256 };

struct ledger {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi rows;
    int lock; /* a file of its own: whoever closes LMDB's would lose LMDB's locks */
    char tidied[LEDGER_KEY_MAX]; /* where tidying continues */
    size_t tidied_len;
};

/* ---- opening ---- */

static int open_env(struct ledger *ledger, const char *folder)
{
    const struct lmdb_file_plan plan = {.map_size = MAP_SIZE};
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof(path), "%s/" LEDGER_FILE, folder) >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    return lmdb_file_open(path, &plan, &ledger->env);
}

int ledger_open(const char *folder, struct ledger **out)
{
    struct ledger *ledger = xcalloc(1, sizeof(*ledger));

    ledger->lock = -1;
    int err = folder_lock(folder, "larder-quotas.lock", &ledger->lock);
    err = err ? err : open_env(ledger, folder);
    err = err ? err : ledger_begin(ledger);
    if (!err) {
        err = lmdb_file_error(mdb_dbi_open(ledger->txn, NULL, 0, &ledger->rows));
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
        return lmdb_file_error(err);
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
    return lmdb_file_error(err);
}

int ledger_begin(struct ledger *ledger)
{
    CHECK(ledger->txn == NULL);
    return lmdb_file_error(mdb_txn_begin(ledger->env, NULL, 0, &ledger->txn));
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
    MDB_val key = lmdb_file_val(name), value;
    int err = mdb_get(ledger->txn, ledger->rows, &key, &value);

    if (err == 0 && row_of(&value, &old)) {
        keep_larger(&next, &old);
    }
    if (err && err != MDB_NOTFOUND) {
        return lmdb_file_error(err);
    }
    value = lmdb_file_val(span_of(&next, sizeof(next)));
    return lmdb_file_error(mdb_put(ledger->txn, ledger->rows, &key, &value, 0));
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
        return lmdb_file_error(err);
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
    return lmdb_file_error(err);
}

int ledger_commit(struct ledger *ledger)
{
    MDB_txn *txn = ledger->txn;

    ledger->txn = NULL;
    return lmdb_file_error(mdb_txn_commit(txn));
}

void ledger_abort(struct ledger *ledger)
{
    if (ledger->txn) {
        mdb_txn_abort(ledger->txn);
        ledger->txn = NULL;
    }
}
