/* What happens to a batch, and to an eviction, that LMDB or the disk interrupts. mdb_put(),
 * mdb_txn_commit(), mdb_env_info() and fallocate() are wrapped at link time. */
#include "store_kit.h"

#include "base/err.h"
#include "base/check.h"
#include "base/guard.h"
#include "base/memory.h"
#include "cache/store/batch.h"
#include "cache/store/disk.h"
#include "cache/store/lookup.h"
#include "cache/store/segments.h"
#include "cache/store/store_parts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

static atomic_uint full_at_chunk; /* the n-th chunk from now on does not fit; 0: all do */
static atomic_uint no_blocks;     /* of so many files, every second one gets none */

int __real_mdb_put(MDB_txn *txn, MDB_dbi db, MDB_val *key, MDB_val *val, unsigned flags);
int __wrap_mdb_put(MDB_txn *txn, MDB_dbi db, MDB_val *key, MDB_val *val, unsigned flags);
int __real_fallocate64(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t from, off_t len);

static _Atomic(struct disk *) impossible; /* LMDB finds it damaged, while an eviction copies */

int __wrap_mdb_put(MDB_txn *txn, MDB_dbi db, MDB_val *key, MDB_val *val, unsigned flags)
{
    struct disk *disk = atomic_load(&impossible);

    if (disk && disk->eviction.copying) {
        guard_leave();
    }
    if (val->mv_size == STORE_CHUNK && atomic_load(&full_at_chunk) &&
        atomic_fetch_sub(&full_at_chunk, 1) == 1) {
        return MDB_MAP_FULL;
    }
    return __real_mdb_put(txn, db, key, val, flags);
}

int __wrap_fallocate64(int fd, int mode, off_t from, off_t len)
{
    if (atomic_load(&no_blocks) && atomic_fetch_sub(&no_blocks, 1) % 2) {
        errno = ENOSPC;
        return -1;
    }
    return __real_fallocate64(fd, mode, from, len);
}

/* The next commit to a file of that name cannot write its root. */
static _Atomic(const char *) rootless;
static atomic_uint rootless_after; /* so many that can */

static atomic_int refusing; /* no commit to files of that name succeeds, because of this */
static _Atomic(const char *) refused = "/index.";

/* The descriptor that LMDB writes the root through, beside the one for all other pages. */
static int root_fd(const char *path)
{
    char link[32], target[256];

    for (int fd = 0; fd < 256; fd++) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof(target) - 1);
        if (len > 0 && (size_t)len == strlen(path) && memcmp(target, path, (size_t)len) == 0 &&
            fcntl(fd, F_GETFL) & O_DSYNC) {
            return fd;
        }
    }
    return -1;
}

static atomic_bool is_held; /* commits to the index wait at the gate */
static sem_t gate;

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    const char *name = atomic_load(&rootless);
    const char *path;

    mdb_env_get_path(mdb_txn_env(txn), &path);
    if (atomic_load(&is_held) && strstr(path, "/index.")) {
        sem_wait(&gate);
    }
    int refusal = strstr(path, atomic_load(&refused)) ? atomic_load(&refusing) : 0;
    if (refusal) {
        mdb_txn_abort(txn);
        return refusal;
    }
    if (name == NULL || strstr(path, name) == NULL) {
        return __real_mdb_txn_commit(txn);
    }
    if (atomic_load(&rootless_after) && atomic_fetch_sub(&rootless_after, 1)) {
        return __real_mdb_txn_commit(txn);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && dup2(fd, root_fd(path)) >= 0);
    close(fd);
    atomic_store(&rootless, NULL);
    return __real_mdb_txn_commit(txn);
}

static void churn(struct kit *kit, size_t from, size_t to, int expected)
{
    char key[64];

    for (size_t i = from; i < to; i++) {
        snprintf(key, sizeof(key), "http://example.net:80/replay/%zu", i);
        bool posted = kit_post(kit->store, key, 200000);
        cr_assert(posted || expected != 0, "object %zu", i);
        if (i % 4 == 3) {
            store_flush(kit->store);
        }
    }
    store_flush(kit->store);
}

/* The put is in the list of those under way once, however often its batch is written. */
Test(store_replay, a_batch_with_chunks_is_written_again, .timeout = 60)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    for (unsigned at = 1; at <= 3; at++) {
        atomic_store(&full_at_chunk, at);
        cr_expect_eq(kit_put(kit.store, "large", 3u << 20), 0);
        cr_expect_eq(kit_check(kit.store, "large", 3u << 20), 0);
        churn(&kit, 100 * at, 100 * at + 100, 0);
        cr_expect_eq(atomic_load(&full_at_chunk), 0, "it was struck");
    }
    cr_expect_leq(kit_disk_use(&kit), KIT_SIZE);
    kit_fini(&kit);
}

/* A disk that is full when an eviction wants a segment for what it keeps: it keeps less. */
Test(store_replay, a_full_disk_does_not_pull_the_victim_away, .timeout = 60)
{
    struct kit kit;
    struct store_object object;
    char key[64];

    kit_init(&kit, 4 * KIT_SIZE);
    for (size_t round = 0; round < 12; round++) {
        churn(&kit, 100 * round, 100 * round + 100, ERR_IO);
        for (size_t i = 100 * round + 60; i < 100 * round + 100; i += 2) {
            snprintf(key, sizeof(key), "http://example.net:80/replay/%zu", i);
            if (kit_find(kit.store, key, &object) == 0) {
                store_used(kit.store, &object);
                store_used(kit.store, &object);
                store_object_done(kit.store, &object);
            }
        }
        atomic_store(&no_blocks, round > 2 ? 40 : 0);
    }
    atomic_store(&no_blocks, 0);
    for (size_t i = 0; i < 1200; i++) {
        snprintf(key, sizeof(key), "http://example.net:80/replay/%zu", i);
        int err = kit_check(kit.store, key, 200000);
        cr_expect(err == 0 || err == ERR_NOT_FOUND, "object %zu: %d", i, err);
    }
    cr_expect_leq(kit_disk_use(&kit), 4 * KIT_SIZE);
    kit_fini(&kit);
}

/* LMDB answers nobody any more for a file whose root it could not write. What was stored in it is
 * found all the same, at once, and objects are stored again after the pause. */
static void lose_root(const char *name)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "before", 1000), 0);
    atomic_store(&rootless, name);
    cr_expect_neq(kit_put(kit.store, "meanwhile", 1000), 0);
    cr_expect_null(atomic_load(&rootless), "it was struck");
    cr_expect_eq(kit_check(kit.store, "before", 1000), 0, "%s", name);
    while (!kit_post(kit.store, "after", 1000)) {
        usleep(50000);
    }
    store_flush(kit.store);
    cr_expect_eq(kit_check(kit.store, "after", 1000), 0, "%s", name);
    cr_expect_eq(kit_check(kit.store, "before", 1000), 0, "%s", name);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "after", 1000), 0, "%s", name);
    cr_expect_eq(kit_check(kit.store, "before", 1000), 0, "%s", name);
    kit_fini(&kit);
}

Test(store_replay, what_lies_in_a_segment_without_its_new_root_is_found, .timeout = 60)
{
    lose_root("/seg-");
}

Test(store_replay, what_an_index_without_its_new_root_says_is_found, .timeout = 60)
{
    lose_root("/index.");
}

/* A moment passes between LMDB's refusal and what the writer makes of it. */
Test(store_replay, a_segment_given_up_just_now_is_read_as_of_its_last_commit)
{
    static const uint8_t owner[STORE_HASH] = "whose chunk it i";
    char dir[] = "/tmp/larder-replay-XXXXXX";
    struct segments segments;
    struct span bytes;
    void *at, *copy;
    uint32_t id, number;

    cr_assert_not_null(mkdtemp(dir));
    segments_init(&segments, dir, 8);
    struct segment *segment = segments_next_free(&segments, &id);
    struct segment_spec spec = {.id = id, .log = S3_PROBATION, .capacity = 1 << 20};
    cr_assert_eq(segment_create(segment, &segments.home, &spec), 0);
    cr_assert_eq(segment_write_begin(segment), 0);
    cr_assert_eq(segment_add_chunk(segment, owner, 5000, &at, &number), 0);
    memset(at, 'a', 5000);
    struct store_chunk chunk = {
        .segment = id, .number = number, .len = 5000, .sum = XXH3_64bits(at, 5000)};
    cr_assert_eq(segment_commit(segment), 0);
    cr_assert_eq(segment_write_begin(segment), 0);
    cr_assert_eq(segment_add_chunk(segment, owner, 5000, &at, &number), 0);
    memset(at, 'b', 5000);
    atomic_store(&rootless, "/seg-");
    cr_assert_neq(segment_commit(segment), 0);
    for (enum walk_way way = WALK_NOW; way <= WALK_MAP; way++) {
        cr_expect_eq(lookup_chunk(segment, &chunk, way, &bytes, &copy), 0, "way %d", (int)way);
        cr_expect_eq(bytes.at[4999], 'a');
        free(copy);
    }
    chunk.number = number;
    cr_expect_eq(lookup_chunk(segment, &chunk, WALK_MAP, &bytes, &copy), ERR_CORRUPT);
    segment_unlink(&segments.home, id);
    segments_fini(&segments);
    cr_expect_eq(rmdir(dir), 0);
}

Test(store_replay, an_index_given_up_just_now_is_read_as_of_its_last_commit)
{
    static const uint8_t hash[STORE_HASH] = "an object's hash";
    char dir[] = "/tmp/larder-replay-XXXXXX";
    struct location location = {.segment = 7, .object = 1, .low_segment = 7};
    struct index index;
    uint64_t commit;

    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(index_open(&index, dir, KIT_SIZE, NULL), 0);
    cr_assert_eq(index_begin(&index), 0);
    cr_assert_eq(index_put(&index, hash, &location), 0);
    cr_assert_eq(index_commit(&index), 0);
    cr_assert_eq(index_begin(&index), 0);
    location.segment = 8;
    cr_assert_eq(index_put(&index, hash, &location), 0);
    atomic_store(&rootless, "/index.");
    cr_assert_neq(index_commit(&index), 0);
    cr_expect(atomic_load(&index.given_up));
    atomic_store(&index.given_up, false); /* as readers see it before */
    for (enum walk_way way = WALK_NOW; way <= WALK_MAP; way++) {
        cr_expect_eq(lookup_location(&index, hash, way, &location, &commit), 0, "way %d", (int)way);
        cr_expect_eq(location.segment, 7);
        cr_expect_eq(commit, WALK_LAST);
    }
    index_close(&index);
    index_remove(dir);
    cr_expect_eq(rmdir(dir), 0);
}

/* Or a disk that takes no roots would push out all that is there, one segment after the other. */
Test(store_replay, a_segment_that_nothing_was_committed_to_does_not_stay, .timeout = 60)
{
    struct kit kit;
    struct store_stats stats;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "before", 1000), 0);
    cr_assert_eq(kit_matches(&kit, "seg-*.mdb"), 1);
    atomic_store(&rootless, "/seg-");
    cr_expect_neq(kit_put(kit.store, "first", 1000), 0);
    atomic_store(&rootless_after, 2); /* its creation takes two, and is no batch */
    atomic_store(&rootless, "/seg-");
    while (!kit_post(kit.store, "second", 1000)) {
        usleep(50000);
    }
    store_flush(kit.store);
    cr_expect_null(atomic_load(&rootless), "it was struck");
    cr_expect_eq(kit_matches(&kit, "seg-*.mdb"), 1);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.commit_errors, 2);
    cr_expect_eq(kit_check(kit.store, "before", 1000), 0);
    kit_fini(&kit);
}

/* ---- drops that the disk refuses ---- */

/* One a key, however often it is dropped, and none for what is not there. */
Test(store_replay, refused_drops_do_not_pile_up, .timeout = 60)
{
    struct kit kit;
    struct store_object object;
    struct store_stats stats;
    uint8_t dropped[STORE_HASH], absent[STORE_HASH];
    char key[64];

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "dropped", 1000), 0);
    cr_assert_eq(kit_put(kit.store, "other", 1000), 0);
    kit_hash(kit.store, SPAN("dropped"), dropped);
    atomic_store(&refusing, EIO);
    for (size_t i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "http://example.net:80/absent/%zu", i);
        kit_hash(kit.store, span_str(key), absent);
        store_drop(kit.store, dropped, NULL, NULL);
        store_drop(kit.store, absent, NULL, NULL);
    }
    store_flush(kit.store);
    store_stats(kit.store, &stats);
    cr_expect_gt(stats.commit_errors, 0);
    cr_expect_eq(stats.dirty, 0);
    cr_expect_lt(memory_sum(MEMORY_QUEUED), 1000, "%llu bytes",
                 (unsigned long long)memory_sum(MEMORY_QUEUED));
    cr_expect_eq(kit_find(kit.store, "dropped", &object), ERR_NOT_FOUND);
    cr_expect_eq(kit_check(kit.store, "other", 1000), 0);
    atomic_store(&refusing, 0);
    kit_reopen(&kit);
    cr_expect_eq(kit_find(kit.store, "dropped", &object), ERR_NOT_FOUND, "it was tried again");
    cr_expect_eq(kit_check(kit.store, "other", 1000), 0);
    kit_fini(&kit);
}

static void finish(struct store_put *put, struct span body, int *result)
{
    struct store_piece piece = {.bytes = body};

    store_put_finish(put, SPAN("head"), NULL, 0, body.len, &piece, 1, kit_on_done, result);
}

static size_t length_of(struct kit *kit, const char *key)
{
    struct store_object object;
    size_t length = 0;

    if (kit_find(kit->store, key, &object) == 0) {
        length = (size_t)object.body_len;
        store_object_done(kit->store, &object);
    }
    return length;
}

/* It is newer than what was there, and older than what comes. */
Test(store_replay, a_refused_object_takes_with_it_what_is_older_and_nothing_else, .timeout = 60)
{
    struct kit kit;
    struct store_put *first, *second;
    uint8_t hash[STORE_HASH];
    int results[3] = {1, 1, 1};

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 3000), 0);
    kit_hash(kit.store, SPAN("k"), hash);
    cr_assert_eq(store_put_begin(kit.store, hash, SPAN("k"), &first), 0);
    cr_assert_eq(store_put_begin(kit.store, hash, SPAN("k"), &second), 0);
    atomic_store(&refusing, EIO);
    finish(first, SPAN("12345"), &results[0]);
    store_flush(kit.store);
    cr_expect_lt(results[0], 0);
    cr_expect_eq(length_of(&kit, "k"), 0);
    atomic_store(&refusing, 0);
    finish(second, SPAN("1234567"), &results[1]);
    store_flush(kit.store);
    cr_expect_eq(results[1], 0);
    cr_expect_eq(length_of(&kit, "k"), 7);

    atomic_store(&refusing, EIO);
    store_update(kit.store, hash, SPAN("k"), SPAN("new head"), NULL, 0, kit_on_done, &results[2]);
    store_flush(kit.store);
    cr_expect_lt(results[2], 0);
    cr_expect_eq(length_of(&kit, "k"), 0, "its head is older than that of the update");
    atomic_store(&refusing, 0);
    kit_reopen(&kit);
    cr_expect_eq(length_of(&kit, "k"), 0);
    kit_fini(&kit);
}

/* A disk that takes no bodies lets go of records all the same, and the end waits for that. */
Test(store_replay, what_the_last_batches_were_to_replace_is_dropped_though_all_fail, .timeout = 60)
{
    enum { OBJECTS = 30, LEN = 200000 }; /* five batches */
    static const char body[LEN];
    struct kit kit;
    struct store_object object;
    struct store_put *puts[OBJECTS];
    uint8_t hash[STORE_HASH];
    char keys[OBJECTS][16];

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < OBJECTS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "replaced %zu", i);
        cr_assert(kit_post(kit.store, keys[i], 100));
    }
    store_flush(kit.store);
    for (size_t i = 0; i < OBJECTS; i++) {
        kit_hash(kit.store, span_str(keys[i]), hash);
        cr_assert_eq(store_put_begin(kit.store, hash, span_str(keys[i]), &puts[i]), 0);
    }
    atomic_store(&refused, "/seg-");
    atomic_store(&refusing, EIO);
    for (size_t i = 0; i < OBJECTS; i++) {
        finish(puts[i], span_of(body, LEN), NULL);
    }
    store_close(&kit.store);
    atomic_store(&refusing, 0);
    kit_reopen(&kit);
    for (size_t i = 0; i < OBJECTS; i++) {
        cr_expect_eq(kit_find(kit.store, keys[i], &object), ERR_NOT_FOUND, "%s", keys[i]);
    }
    kit_fini(&kit);
}

static atomic_bool updating;

/* Another follows at once: there is never nothing to write. */
static void update_on(void *store, int err)
{
    static const char head[STORE_INLINE_MAX];
    struct span key = SPAN("another");
    uint8_t hash[STORE_HASH];

    (void)err;
    if (atomic_load(&updating)) {
        kit_hash(store, key, hash);
        store_update(store, hash, key, span_of(head, sizeof(head)), NULL, 0, update_on, store);
    }
}

/* What is written fails as long as slow readers have the room; drops take none. */
Test(store_replay, a_drop_does_not_fail_for_ever_with_what_finds_no_room, .timeout = 60)
{
    enum { OBJECTS = 100, LEN = 900000 };
    static struct store_object held[OBJECTS];
    struct kit kit;
    struct store_object object;
    struct store_stats before, now;
    uint8_t dropped[STORE_HASH];
    char key[64];
    size_t count = 0;

    kit_init(&kit, 4 * KIT_SIZE);
    for (int err = 0; !err; count += !err) {
        cr_assert_lt(count, OBJECTS);
        snprintf(key, sizeof(key), "%zu", count);
        err = kit_put(kit.store, key, LEN);
        cr_assert(err == ERR_FULL || (err == 0 && kit_find(kit.store, key, &held[count]) == 0));
    }
    snprintf(key, sizeof(key), "%zu", count - 1);
    kit_hash(kit.store, span_str(key), dropped);
    store_stats(kit.store, &before);
    atomic_store(&updating, true);
    update_on(kit.store, 0);
    store_drop(kit.store, dropped, NULL, NULL);
    for (now = before; now.objects == before.objects;) {
        usleep(10000);
        store_stats(kit.store, &now);
    }
    atomic_store(&updating, false);
    store_flush(kit.store);
    cr_expect_eq(kit_find(kit.store, key, &object), ERR_NOT_FOUND);
    for (size_t i = 0; i < count; i++) {
        store_object_done(kit.store, &held[i]);
    }
    kit_fini(&kit);
}

/* ---- what is no fault of the disk ---- */

static void note_commits(void *arg, const struct store_trouble *trouble)
{
    atomic_store((atomic_uint *)arg, trouble->commits);
}

static void reopen_watched(struct kit *kit, atomic_uint *commits)
{
    struct store_options options = {.path = kit->dir,
                                    .size = kit->size,
                                    .dirty_limit = 1u << 20,
                                    .on_trouble = note_commits,
                                    .arg = commits};

    store_close(&kit->store);
    cr_assert_eq(store_open(&options, &kit->store), 0);
}

Test(store_replay, a_commit_for_want_of_descriptors_does_not_count, .timeout = 60)
{
    static const struct {
        int error;
        unsigned commits;
    } cases[] = {{EMFILE, 0}, {ENFILE, 0}, {ENOMEM, 0}, {EIO, 1}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kit kit;
        struct store_stats stats;
        atomic_uint commits = 0;
        uint8_t hash[STORE_HASH];
        kit_init(&kit, KIT_SIZE);
        reopen_watched(&kit, &commits);
        cr_assert_eq(kit_put(kit.store, "k", 1000), 0);
        kit_hash(kit.store, SPAN("k"), hash);
        atomic_store(&refusing, cases[i].error);
        store_drop(kit.store, hash, NULL, NULL);
        store_flush(kit.store);
        atomic_store(&refusing, 0);
        store_stats(kit.store, &stats);
        cr_expect_gt(stats.commit_errors, 0);
        cr_expect_eq(atomic_load(&commits), cases[i].commits, "%s", strerror(cases[i].error));
        kit_fini(&kit);
    }
}

/* The disk lets go of what the first one was to replace; that does not make it a good one. */
Test(store_replay, a_refused_drop_that_succeeds_does_not_end_a_row_of_failures, .timeout = 60)
{
    static const char *const keys[] = {"first", "second"};
    struct kit kit;
    atomic_uint commits = 0;

    kit_init(&kit, KIT_SIZE);
    reopen_watched(&kit, &commits);
    cr_assert_eq(kit_put(kit.store, keys[0], 1000), 0);
    cr_assert_eq(kit_put(kit.store, keys[1], 1000), 0);
    atomic_store(&refused, "/seg-");
    atomic_store(&refusing, EIO);
    for (unsigned i = 1; i <= 2; i++) {
        while (!kit_post(kit.store, keys[i - 1], 1000)) {
            usleep(50000);
        }
        store_flush(kit.store);
        cr_expect_eq(atomic_load(&commits), i);
    }
    atomic_store(&refusing, 0);
    atomic_store(&commits, 0);
    while (!kit_post(kit.store, "new", 1000)) {
        usleep(50000);
    }
    store_flush(kit.store);
    cr_expect_eq(atomic_load(&commits), 0, "nor is it told as one when it succeeds");
    kit_fini(&kit);
}

static void wake_nobody(void *arg)
{
    (void)arg;
}

/* One that cannot be opened when it is to be written to is only read from then on. */
Test(store_replay, the_newest_segment_is_sealed_when_descriptors_are_short)
{
    struct kit kit;
    struct disk disk;
    struct rlimit before, now;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 1000), 0);
    store_close(&kit.store);
    struct store_options options = {.path = kit.dir, .size = KIT_SIZE};
    cr_assert_eq(disk_open(&disk, &options, wake_nobody, NULL), 0);
    int next = dup(disk.dir);
    close(next);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = (rlim_t)next + 1; /* one more: enough to look at the index */
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
    int err = disk_check(&disk);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(err, 0);
    cr_expect_null(disk.open[S3_PROBATION]);
    struct segment *newest = segments_pin(&disk.segments, disk.newest[S3_PROBATION]);
    cr_assert_not_null(newest, "it is there, and can be opened now");
    cr_expect_not(segment_enter(newest), "nobody needs a transaction for it");
    segments_unpin(&disk.segments, newest);
    disk_close(&disk);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", 1000), 0);
    kit_fini(&kit);
}

/* What was looked through goes with the next batch, and is gone also if that fails; or nothing
 * would be looked through any more before its room is needed. */
Test(store_replay, a_victim_that_went_with_a_failed_batch_is_forgotten)
{
    struct kit kit;
    struct disk disk;
    struct list ops;
    bool wrote;

    kit_init(&kit, KIT_SIZE);
    churn(&kit, 0, 20, 0);
    store_close(&kit.store);
    struct store_options options = {.path = kit.dir, .size = KIT_SIZE};
    cr_assert_eq(disk_open(&disk, &options, wake_nobody, NULL), 0);
    uint32_t victim = segments_oldest(&disk.segments, S3_PROBATION, 0)->id;
    disk.eviction = (struct eviction){.victim = victim, .walked = true};
    struct op *op = op_new(OP_DROP, NULL, 0);
    list_init(&ops);
    list_push_back(&ops, &op->link);
    atomic_store(&refusing, EIO);
    cr_expect_eq(batch_write(&disk, &ops, &wrote), -EIO);
    cr_expect_not(segments_is_live(&disk.segments, victim));
    cr_expect_eq(disk.eviction.victim, 0);
    cr_expect_not(disk.eviction.walked);
    op_end(op);
    disk_close(&disk);
    kit_fini(&kit);
}

/* A store that is full, and whatever is in it was used: the oldest of it is being copied. */
static void fill_with_used(struct kit *kit)
{
    struct store_object object;
    struct store_stats stats = {0};
    char key[64];

    kit_init(kit, 4 * KIT_SIZE);
    kit->favor = S3_BYTES;
    kit_reopen(kit);
    for (size_t i = 0; stats.kept_objects == 0; i++) {
        snprintf(key, sizeof(key), "http://example.net:80/used/%zu", i);
        cr_assert_eq(kit_put(kit->store, key, 200000), 0);
        cr_assert_eq(kit_find(kit->store, key, &object), 0);
        store_used(kit->store, &object);
        store_object_done(kit->store, &object);
        store_stats(kit->store, &stats);
    }
}

/* Or a disk that takes nothing new would not let go of anything either. */
Test(store_replay, drops_have_nothing_copied, .timeout = 60)
{
    struct kit kit;
    struct disk disk;
    struct list ops;
    bool wrote;

    fill_with_used(&kit);
    store_close(&kit.store);
    struct store_options options = {.path = kit.dir, .size = kit.size, .favor = kit.favor};
    cr_assert_eq(disk_open(&disk, &options, wake_nobody, NULL), 0);
    cr_assert_eq(disk_check(&disk), 0);
    disk.size = disk_used(&disk); /* whatever is written, something has to go for it */
    struct op *op = op_new(OP_DROP, NULL, 0);
    list_init(&ops);
    list_push_back(&ops, &op->link);
    atomic_store(&refused, "/seg-");
    atomic_store(&refusing, EIO);
    cr_expect_eq(batch_write(&disk, &ops, &wrote), 0, "the index takes it");
    op_end(op);
    disk_close(&disk);
    kit_fini(&kit);
}

/* ---- the writer is left by a jump ---- */

/* What it was copying is known to the disk, which stays for good: it is no leak (LARDER_LEAKS). */
Test(store_replay, an_eviction_that_is_left_loses_nothing, .timeout = 60)
{
    struct kit kit;
    char key[64];
    int err = 0;

    fill_with_used(&kit);
    atomic_store(&impossible, &kit.store->disk);
    for (size_t i = 0; !err; i++) {
        cr_assert_lt(i, 500);
        snprintf(key, sizeof(key), "http://example.net:80/left/%zu", i);
        err = kit_put(kit.store, key, 200000);
    }
    cr_expect_eq(writer_state(&kit.store->writer), WRITER_LOST);
    kit_fini(&kit);
}

/* ---- a deletion ends while somebody looks ---- */

static _Thread_local struct store *looked_at; /* not NULL: the gate opens after the next look */

int __real_mdb_env_info(MDB_env *env, MDB_envinfo *info);
int __wrap_mdb_env_info(MDB_env *env, MDB_envinfo *info);

int __wrap_mdb_env_info(MDB_env *env, MDB_envinfo *info)
{
    struct store *store = looked_at;
    int err = __real_mdb_env_info(env, info);

    if (store) {
        looked_at = NULL;
        atomic_store(&is_held, false);
        sem_post(&gate);
        store_flush(store);
    }
    return err;
}

static void wake(void *arg)
{
    sem_post(arg);
}

/* It began before the look, and is over between the question what was committed last, and the
 * question what is being deleted. */
Test(store_replay, what_was_read_before_its_deletion_is_not_found_after_it, .timeout = 60)
{
    struct kit kit;
    struct store_object object;
    uint8_t hash[STORE_HASH];
    sem_t done;
    struct store_waiter waiter = {.wake = wake, .arg = &done};

    kit_init(&kit, KIT_SIZE);
    sem_init(&done, 0, 0);
    sem_init(&gate, 0, 0);
    cr_assert_eq(kit_put(kit.store, "k", 1000), 0);
    kit_hash(kit.store, SPAN("k"), hash);
    cr_assert(store_read_object(kit.store, hash, SPAN("k"), true, &waiter));
    sem_wait(&done);
    cr_assert_eq(store_find_now(kit.store, hash, SPAN("k"), waiter.read, &object), 0);
    store_object_done(kit.store, &object);

    atomic_store(&is_held, true);
    store_drop(kit.store, hash, NULL, NULL);
    looked_at = kit.store;
    cr_expect_eq(store_find_now(kit.store, hash, SPAN("k"), waiter.read, &object), ERR_NOT_FOUND);
    if (looked_at) { /* it did not even have to look */
        looked_at = NULL;
        atomic_store(&is_held, false);
        sem_post(&gate);
    }
    store_object_done(kit.store, &object);
    store_read_leave(&waiter);
    kit_fini(&kit);
}
