#include "base/err.h"
#include "base/lmdb_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 500 };

static const struct lmdb_file_plan plan = {.map_size = 1 << 20};
static char folder[] = "/tmp/larder-lmdb.XXXXXX";
static char path[64];

static void make(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/rows.mdb", folder);
}

static void drop(void)
{
    char lock[80];

    snprintf(lock, sizeof(lock), "%s-lock", path);
    unlink(lock);
    unlink(path);
    rmdir(folder);
}

static void write_rows(void)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi rows;

    cr_assert_eq(lmdb_file_open(path, &plan, &env), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, NULL, 0, &rows), 0);
    for (int i = 0; i < ROWS; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "row %05d", i);
        MDB_val key = lmdb_file_val(span_of(name, (size_t)len)), value = key;
        cr_assert_eq(mdb_put(txn, rows, &key, &value, 0), 0);
    }
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static int open_again(void)
{
    MDB_env *env;
    int err = lmdb_file_open(path, &plan, &env);

    if (env) {
        mdb_env_close(env);
    }
    return err;
}

Test(lmdb_file, opens_what_it_has_made, .init = make, .fini = drop)
{
    write_rows();
    cr_expect_eq(open_again(), 0);
}

Test(lmdb_file, a_file_without_its_end_is_corrupt, .init = make, .fini = drop)
{
    struct stat file;

    write_rows();
    cr_assert_eq(stat(path, &file), 0);
    cr_assert_eq(truncate(path, file.st_size - 4096), 0);
    cr_expect_eq(open_again(), ERR_CORRUPT);
}

/* Each page of the tree in turn has its header overwritten, from the lower bound of its free space
 * on. LMDB itself opens such a file, and reads beyond the page, or ends the process, later. */
Test(lmdb_file, a_damaged_page_is_found_when_it_is_opened, .init = make, .fini = drop)
{
    static const char damage[4] = {0x7f, 0x7f, 0x7f, 0x7f};
    struct stat file;
    char kept[sizeof(damage)];

    write_rows();
    cr_assert_eq(stat(path, &file), 0);
    long page_size = sysconf(_SC_PAGESIZE);
    int fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0);
    for (off_t at = 2 * page_size + 12; at < file.st_size; at += page_size) {
        cr_assert_eq(pread(fd, kept, sizeof(kept), at), sizeof(kept));
        cr_assert_eq(pwrite(fd, damage, sizeof(damage), at), sizeof(damage));
        cr_expect_eq(open_again(), ERR_CORRUPT, "page %ld", (long)(at / page_size));
        cr_assert_eq(pwrite(fd, kept, sizeof(kept), at), sizeof(kept));
    }
    close(fd);
    cr_expect_eq(open_again(), 0);
}
