#include "base/guard.h"
#include "base/lmdb_file.h"
#include "base/lmdb_sound.h"

#include <criterion/criterion.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PUTS = 7, FROM = 1520, TRIES = 12 };

static void put_one(MDB_txn *txn, MDB_dbi db, int number, size_t len)
{
    static const char zeros[2000];
    char name[16];
    int name_len = snprintf(name, sizeof(name), "%08d", number);
    MDB_val key = lmdb_file_val(span_of(name, (size_t)name_len));
    MDB_val value = lmdb_file_val(span_of(zeros, len));

    cr_assert_eq(mdb_put(txn, db, &key, &value, 0), 0);
}

static MDB_txn *begin(MDB_env *env)
{
    MDB_txn *txn;

    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    return txn;
}

/* Frees thousands of pages in the second transaction, so that LMDB keeps their list in few records
 * of several pages each, the first of which gets shorter in each later transaction: once it loses a
 * page while it is written. */
static void check_each_commit(MDB_env *env, const char *path, int records)
{
    MDB_dbi db;
    MDB_txn *txn = begin(env);

    cr_assert_eq(mdb_dbi_open(txn, "rows", MDB_CREATE, &db), 0);
    for (int i = 0; i < records; i++) {
        put_one(txn, db, i, 2000);
    }
    cr_assert_eq(mdb_txn_commit(txn), 0);
    txn = begin(env);
    cr_assert_eq(mdb_drop(txn, db, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    for (int i = 0; i < PUTS; i++) {
        txn = begin(env);
        put_one(txn, db, i, 10);
        cr_assert_eq(mdb_txn_commit(txn), 0);
        cr_expect_eq(lmdb_sound_check(path), 0, "%d records, %d", records, i);
    }
}

Test(lmdb_sound, a_list_of_free_pages_may_have_more_pages_than_it_needs)
{
    char folder[] = "/tmp/larder-sound.XXXXXX", path[64];

    guard_install();
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/rows.mdb", folder);
    for (int records = FROM; records < FROM + TRIES; records++) {
        MDB_env *env;
        cr_assert_eq(mdb_env_create(&env), 0);
        cr_assert_eq(mdb_env_set_maxdbs(env, 1), 0);
        cr_assert_eq(mdb_env_set_mapsize(env, 1u << 28), 0);
        cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600), 0);
        check_each_commit(env, path, records);
        mdb_env_close(env);
        unlink(path);
    }
    rmdir(folder);
}
