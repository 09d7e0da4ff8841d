#include "base/err.h"
#include "base/check.h"
#include "dnsredir/replay.h"
#include "dnsredir/statedb.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A folder of its own, removed at the end. */
struct folder {
    char path[64];
};

static void folder_make(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path), "/tmp/larder-state-XXXXXX");
    cr_assert_not_null(mkdtemp(folder->path));
}

static void folder_file(const struct folder *folder, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", folder->path, name);
}

static void folder_remove(const struct folder *folder)
{
    static const char *const files[] = {STATEDB_FILE, STATEDB_FILE "-lock", "lock"};
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        folder_file(folder, files[i], path);
        unlink(path);
    }
    rmdir(folder->path);
}

static void put(struct statedb *db, const char *key, const char *value)
{
    cr_assert_eq(statedb_put(db, STATEDB_BOUND, span_str(key), span_str(value)), 0);
}

static void expect(struct statedb *db, const char *key, const char *want)
{
    struct span value;
    int err = statedb_get(db, STATEDB_BOUND, span_str(key), &value);

    cr_expect_eq(err, want ? 0 : ERR_NOT_FOUND, "%s: %d", key, err);
    cr_expect(!want || span_eq(value, span_str(want)), "%s: %.*s", key, SPAN_ARGS(value));
}

Test(statedb, keeps_what_was_committed)
{
    struct folder folder;
    struct statedb *db;

    folder_make(&folder);
    cr_assert_eq(statedb_open(folder.path, &db), 0);
    cr_assert_eq(statedb_begin(db), 0);
    put(db, "a", "1");
    put(db, "b", "2");
    cr_assert_eq(statedb_commit(db), 0);
    cr_assert_eq(statedb_begin(db), 0);
    put(db, "c", "3");
    cr_assert_eq(statedb_drop(db, STATEDB_BOUND, SPAN("a")), 0);
    statedb_abort(db);
    statedb_close(&db);

    cr_assert_eq(statedb_open(folder.path, &db), 0);
    cr_assert_eq(statedb_begin(db), 0);
    expect(db, "a", "1");
    expect(db, "b", "2");
    expect(db, "c", NULL);
    cr_expect_eq(statedb_count(db, STATEDB_BOUND), 2);
    cr_expect_eq(statedb_count(db, STATEDB_DRAINED), 0);
    cr_expect_eq(statedb_drop(db, STATEDB_BOUND, SPAN("c")), ERR_NOT_FOUND);
    statedb_close(&db);
    cr_expect_null(db);
    folder_remove(&folder);
}

Test(statedb, a_part_is_undone_by_itself)
{
    struct folder folder;
    struct statedb *db;

    folder_make(&folder);
    cr_assert_eq(statedb_open(folder.path, &db), 0);
    cr_assert_eq(statedb_begin(db), 0);
    put(db, "a", "1");
    cr_assert_eq(statedb_part_begin(db), 0);
    put(db, "a", "2");
    put(db, "b", "2");
    expect(db, "a", "2");
    cr_assert_eq(statedb_part_end(db, false), 0);
    expect(db, "a", "1");
    cr_assert_eq(statedb_part_begin(db), 0);
    put(db, "c", "");
    cr_assert_eq(statedb_part_end(db, true), 0);
    cr_assert_eq(statedb_commit(db), 0);
    cr_assert_eq(statedb_begin(db), 0);
    expect(db, "a", "1");
    expect(db, "b", NULL);
    expect(db, "c", "");
    statedb_close(&db);
    folder_remove(&folder);
}

Test(statedb, one_at_a_time)
{
    struct folder folder;
    struct statedb *db, *other;

    folder_make(&folder);
    cr_assert_eq(statedb_open(folder.path, &db), 0);
    cr_expect_eq(statedb_open(folder.path, &other), ERR_BUSY);
    cr_expect_null(other);
    statedb_close(&db);
    cr_expect_eq(statedb_open(folder.path, &other), 0);
    statedb_close(&other);
    folder_remove(&folder);
}

Test(statedb, a_file_that_is_none)
{
    struct folder folder;
    struct statedb *db;
    char path[128];

    folder_make(&folder);
    folder_file(&folder, STATEDB_FILE, path);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 20000; i++) {
        fputs("nonsense", file);
    }
    fclose(file);
    cr_expect_eq(statedb_open(folder.path, &db), ERR_CORRUPT);
    unlink(path);

    cr_assert_eq(statedb_open(folder.path, &db), 0);
    cr_assert_eq(statedb_begin(db), 0);
    for (char key[2] = "a"; key[0] <= 'z'; key[0]++) {
        put(db, key,
            "some more bytes, so that there are pages to lose: "
            "0123456789012345678901234567890123456789012345678901234567890123456789"
            "0123456789012345678901234567890123456789012345678901234567890123456789");
    }
    cr_assert_eq(statedb_commit(db), 0);
    statedb_close(&db);
    cr_assert_eq(truncate(path, 3 * 4096), 0);
    cr_expect_eq(statedb_open(folder.path, &db), ERR_CORRUPT);
    folder_remove(&folder);
}

/* ---- what was signed before ---- */

static struct span mac_of(char first)
{
    static char bytes[32];

    memset(bytes, first, sizeof(bytes));
    return span_of(bytes, sizeof(bytes));
}

Test(replay, nothing_is_taken_twice_rfc8945_5_2_3)
{
    struct replay replay;
    uint8_t stored[REPLAY_STORED_MAX];
    uint16_t rcode = 99;

    replay_load(&replay, SPAN_EMPTY);
    cr_expect_eq(replay_look(&replay, 100, mac_of('a'), &rcode), REPLAY_NEW);
    replay_take(&replay, 100, mac_of('a'), 6);
    cr_expect_eq(replay_look(&replay, 100, mac_of('a'), &rcode), REPLAY_AGAIN);
    cr_expect_eq(rcode, 6);
    cr_expect_eq(replay_look(&replay, 100, mac_of('b'), &rcode), REPLAY_NEW);
    replay_take(&replay, 100, mac_of('b'), 0);
    cr_expect_eq(replay_look(&replay, 99, mac_of('c'), &rcode), REPLAY_OLD);

    size_t len = replay_store(&replay, stored); /* and after a restart */
    replay_load(&replay, span_of(stored, len));
    cr_expect_eq(replay_look(&replay, 100, mac_of('a'), &rcode), REPLAY_AGAIN);
    cr_expect_eq(rcode, 6);
    cr_expect_eq(replay_look(&replay, 100, mac_of('b'), &rcode), REPLAY_AGAIN);
    cr_expect_eq(replay_look(&replay, 100, mac_of('c'), &rcode), REPLAY_NEW);
    cr_expect_eq(replay_look(&replay, 99, mac_of('c'), &rcode), REPLAY_OLD);

    replay_take(&replay, 101, mac_of('c'), 0);
    cr_expect_eq(replay_look(&replay, 100, mac_of('a'), &rcode), REPLAY_OLD);
    cr_expect_eq(replay_look(&replay, 101, mac_of('a'), &rcode), REPLAY_NEW);

    replay_load(&replay, span_of(stored, len - 1)); /* damaged: all of that second is taken */
    cr_expect_eq(replay_look(&replay, 100, mac_of('x'), &rcode), REPLAY_TOO_MANY);
    cr_expect_eq(replay_look(&replay, 101, mac_of('x'), &rcode), REPLAY_NEW);
}

Test(replay, as_many_as_fit_a_second)
{
    struct replay replay;
    uint8_t stored[REPLAY_STORED_MAX];
    uint16_t rcode;

    replay_load(&replay, SPAN_EMPTY);
    for (int i = 0; i < REPLAY_MAX; i++) {
        cr_assert_eq(replay_look(&replay, 5, mac_of((char)i), &rcode), REPLAY_NEW);
        replay_take(&replay, 5, mac_of((char)i), 0);
    }
    cr_expect_eq(replay_store(&replay, stored), sizeof(stored));
    cr_expect_eq(replay_look(&replay, 5, SPAN("another one"), &rcode), REPLAY_TOO_MANY);
    cr_expect_eq(replay_look(&replay, 6, SPAN("another one"), &rcode), REPLAY_NEW);
}
