#include "base/check.h"
#include "base/err.h"
#include "dnsredir/state/replay.h"
#include "dnsredir/state/statedb.h"

#include <criterion/criterion.h>
#include <errno.h>
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
    cr_assert_eq(statedb_put(db, STATEDB_DYNAMIC, span_str(key), span_str(value)), 0);
}

static void expect(struct statedb *db, const char *key, const char *want)
{
    struct span value;
    int err = statedb_get(db, STATEDB_DYNAMIC, span_str(key), &value);

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
    cr_assert_eq(statedb_drop(db, STATEDB_DYNAMIC, SPAN("a")), 0);
    statedb_abort(db);
    statedb_close(&db);

    cr_assert_eq(statedb_open(folder.path, &db), 0);
    cr_assert_eq(statedb_begin(db), 0);
    expect(db, "a", "1");
    expect(db, "b", "2");
    expect(db, "c", NULL);
    cr_expect_eq(statedb_count(db, STATEDB_DYNAMIC), 2);
    cr_expect_eq(statedb_count(db, STATEDB_DRAINED), 0);
    cr_expect_eq(statedb_drop(db, STATEDB_DYNAMIC, SPAN("c")), ERR_NOT_FOUND);
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

/* ---- damage ---- */

#define KEYS 300

static void key_of(unsigned number, char out[16])
{
    snprintf(out, 16, "name-%05u", number);
}

/* Of its number, and of some size: every tenth in pages of its own. */
static size_t value_of(unsigned number, char out[8192])
{
    size_t len = number % 10 == 0 ? 5000 : 100 + number % 200;

    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(number + i);
    }
    return len;
}

static void fill(const struct folder *folder)
{
    struct statedb *db;

    cr_assert_eq(statedb_open(folder->path, &db), 0);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16], value[8192];
        key_of(i, key);
        if (i % 50 == 0) {
            cr_assert_eq(statedb_begin(db), 0);
        }
        cr_assert_eq(
            statedb_put(db, STATEDB_DYNAMIC, span_str(key), span_of(value, value_of(i, value))), 0);
        if (i % 50 == 49) {
            cr_assert_eq(statedb_commit(db), 0);
        }
    }
    statedb_close(&db);
}

static size_t read_file(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "r");

    cr_assert_not_null(file);
    size_t len = fread(out, 1, room, file);
    cr_assert_lt(len, room);
    fclose(file);
    return len;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

struct use {
    struct statedb *db;
    unsigned right, wrong;
    bool damaged;
};

static void look(void *arg, struct span key, struct span value)
{
    struct use *use = arg;
    unsigned number = 0;
    char text[16] = "", want[8192];

    memcpy(text, key.at, key.len < 15 ? key.len : 15);
    bool named = sscanf(text, "name-%05u", &number) == 1;
    bool right = named && span_eq(value, span_of(want, value_of(number, want)));
    use->right += right;
    use->wrong += !right;
}

/* Reads all, writes something, and reads again. */
static int use_it(void *arg)
{
    struct use *use = arg;
    int err = statedb_begin(use->db);

    if (err) {
        return err;
    }
    use->damaged = statedb_each(use->db, STATEDB_DYNAMIC, look, use) != 0;
    for (unsigned i = 0; i < KEYS && !use->damaged; i += 3) {
        char key[16], value[8192];
        key_of(i, key);
        err = err ? err : statedb_drop(use->db, STATEDB_DYNAMIC, span_str(key));
        key_of(i + 1, key);
        err = err ? err
                  : statedb_put(use->db, STATEDB_DYNAMIC, span_str(key),
                                span_of(value, value_of(i + 1, value)));
    }
    return err ? err : statedb_commit(use->db);
}

struct tally {
    unsigned opened, whole;
};

static void open_damaged(const struct folder *folder, const char *what, struct tally *tally)
{
    struct use use = {0};
    int err = statedb_open(folder->path, &use.db);

    if (err) {
        cr_expect(err == ERR_CORRUPT || err == -EINVAL || err == ERR_IO, "%s: %s", what,
                  err_text(err));
        return;
    }
    tally->opened++;
    err = statedb_work(&use.db, use_it, &use);
    cr_expect_eq(use.wrong, 0, "%s: what was never put is read", what);
    cr_expect(use.damaged || use.right == KEYS || err, "%s: only %u are read, and nobody says so",
              what, use.right);
    tally->whole += use.right == KEYS;
    statedb_close(&use.db);
}

/* Nothing wrong is ever read, nothing is missed in silence, and LMDB is not led astray. */
Test(statedb, bits_that_flip)
{
    static char whole[1 << 20], spoilt[1 << 20];
    struct tally tally = {0};
    struct folder folder;
    char path[128], what[64];

    srand(1);
    folder_make(&folder);
    fill(&folder);
    folder_file(&folder, STATEDB_FILE, path);
    size_t len = read_file(path, whole, sizeof(whole));
    for (int round = 0; round < 300; round++) {
        memcpy(spoilt, whole, len);
        unsigned flips = 1u << rand() % 8;
        for (unsigned i = 0; i < flips; i++) {
            size_t at = (size_t)rand() % (round % 3 ? len : 3 * 4096);
            spoilt[at] = (char)(spoilt[at] ^ 1 << rand() % 8);
        }
        write_file(path, spoilt, len);
        snprintf(what, sizeof(what), "round %d, %u bits", round, flips);
        open_damaged(&folder, what, &tally);
    }
    cr_expect_gt(tally.opened, 50);
    cr_expect_lt(tally.whole, tally.opened);
    folder_remove(&folder);
}

Test(statedb, ends_and_pages_that_are_lost)
{
    static char whole[1 << 20], spoilt[1 << 20];
    struct tally tally = {0};
    struct folder folder;
    char path[128], what[64];

    folder_make(&folder);
    fill(&folder);
    folder_file(&folder, STATEDB_FILE, path);
    size_t len = read_file(path, whole, sizeof(whole));
    for (size_t left = 0; left < len; left += left < 3 * 4096 ? 1365 : 4096) {
        write_file(path, whole, left);
        snprintf(what, sizeof(what), "%zu bytes of %zu", left, len);
        open_damaged(&folder, what, &tally);
    }
    cr_expect_eq(tally.opened, tally.whole, "what has lost its end has lost nothing else");
    for (size_t at = 0; at + 4096 <= len; at += 4096) {
        for (int other = 0; other < 2; other++) { /* zeros, or another page */
            memcpy(spoilt, whole, len);
            memset(spoilt + at, 0, 4096);
            if (other) {
                memcpy(spoilt + at, whole + (at + 5 * 4096) % (len / 4096 * 4096), 4096);
            }
            write_file(path, spoilt, len);
            snprintf(what, sizeof(what), "page %zu, %s", at / 4096, other ? "another" : "zeros");
            open_damaged(&folder, what, &tally);
        }
    }
    folder_remove(&folder);
}

static int get_all(void *arg)
{
    struct use *use = arg;
    int err = statedb_begin(use->db);

    return err ? err : statedb_each(use->db, STATEDB_DYNAMIC, look, use);
}

/* A page that is mapped and no longer there is an error, and then the file is not used any more. */
Test(statedb, a_file_that_is_cut_in_use)
{
    struct folder folder;
    struct use use = {0};
    char path[128];

    folder_make(&folder);
    fill(&folder);
    folder_file(&folder, STATEDB_FILE, path);
    cr_assert_eq(statedb_open(folder.path, &use.db), 0);
    cr_assert_eq(truncate(path, 4096), 0);
    cr_expect_eq(statedb_work(&use.db, get_all, &use), -EIO);
    cr_expect_null(use.db);
    cr_expect_eq(use.wrong, 0);
    statedb_close(&use.db);
    cr_expect_eq(statedb_open(folder.path, &use.db), ERR_BUSY);
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
