#include "store_kit.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void key_of(char key[64], size_t i)
{
    snprintf(key, 64, "http://example.net:80/fault/%zu", i);
}

static size_t len_of(size_t i)
{
    static const size_t lens[] = {100, 5000, 30000, 1500, 600000, 2500};
    return lens[i % ARRAY_LEN(lens)] + i % 89;
}

/* Flips one bit wherever `pattern` starts: a page that was copied is in the file twice. */
static bool flip_in(const char *path, struct span pattern)
{
    int fd = open(path, O_RDWR);
    struct stat file;
    bool found = false;

    if (fd < 0 || fstat(fd, &file) != 0 || file.st_size == 0) {
        return false;
    }
    size_t size = (size_t)file.st_size;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *hit = map;
    while ((hit = memmem(hit, size - (size_t)(hit - map), pattern.at, pattern.len)) != NULL) {
        *hit ^= 0x10;
        found = true;
    }
    munmap(map, size);
    close(fd);
    return found;
}

static void flip(const struct kit *kit, const char *file, struct span pattern)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", kit->dir, file);
    cr_assert(flip_in(path, pattern), "%s", file);
}

Test(store_faults, a_flipped_bit_is_found_and_the_object_dropped)
{
    static const size_t lens[] = {300, 3000, 100000};
    struct kit kit;
    struct store_object object;
    struct store_stats stats;

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        char key[64];
        key_of(key, i);
        char *body = kit_body(span_str(key), lens[i]);
        kit_init(&kit, KIT_SIZE);
        cr_assert_eq(kit_put(kit.store, key, lens[i]), 0);
        cr_assert_eq(kit_put(kit.store, "other", lens[i]), 0);
        store_close(&kit.store);
        flip(&kit, "seg-00000001.mdb", span_of(body + lens[i] / 2, 64));
        kit_reopen(&kit);
        cr_expect_eq(kit_find(kit.store, key, &object), ERR_CORRUPT, "%zu bytes", lens[i]);
        store_flush(kit.store);
        cr_expect_eq(kit_find(kit.store, key, &object), ERR_NOT_FOUND);
        cr_expect_eq(kit_check(kit.store, "other", lens[i]), 0);
        store_stats(kit.store, &stats);
        cr_expect_eq(stats.corrupt, 1);
        free(body);
        kit_fini(&kit);
    }
}

Test(store_faults, a_flipped_bit_in_a_chunk_is_found_and_the_object_dropped)
{
    struct kit kit;
    struct store_object object;
    size_t len = 5 * STORE_CHUNK + 10;
    char *body = kit_body(SPAN("k"), len);

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", len), 0);
    store_close(&kit.store);
    flip(&kit, "seg-00000001.mdb", span_of(body + 3 * STORE_CHUNK + 1000, 64));
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "k", len), ERR_CORRUPT, "met while lending");
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_CORRUPT, "so nobody starts on it again");
    store_flush(kit.store);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    free(body);
    kit_fini(&kit);
}

/* Writes `number` where the pages that hold `body` have theirs. */
static void renumber(const struct kit *kit, struct span body, size_t number)
{
    char path[128];
    struct stat file;

    snprintf(path, sizeof(path), "%s/seg-00000001.mdb", kit->dir);
    int fd = open(path, O_RDWR);
    cr_assert(fd >= 0 && fstat(fd, &file) == 0);
    size_t size = (size_t)file.st_size;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *hit = memmem(map, size, body.at, body.len);
    cr_assert_not_null(hit);
    char *page = map + ((size_t)(hit - map) & ~(size_t)4095);
    memcpy(page, &number, sizeof(number));
    munmap(map, size);
    close(fd);
}

/* Where a value lies in the file is reckoned from page numbers: a wrong one must not lead to
 * somebody else's bytes. */
Test(store_faults, a_wrong_page_number_is_found_and_the_object_dropped)
{
    static const size_t lens[] = {3000, 100000};
    struct kit kit;
    struct store_object object;

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        char *body = kit_body(SPAN("k"), lens[i]);
        kit_init(&kit, KIT_SIZE);
        cr_assert_eq(kit_put(kit.store, "k", lens[i]), 0);
        cr_assert_eq(kit_put(kit.store, "other", lens[i]), 0);
        store_close(&kit.store);
        renumber(&kit, span_of(body, 1000), 3);
        kit_reopen(&kit);
        cr_expect_eq(kit_find(kit.store, "k", &object), ERR_CORRUPT, "%zu bytes", lens[i]);
        cr_expect_eq(kit_check(kit.store, "other", lens[i]), 0);
        free(body);
        kit_fini(&kit);
    }
}

Test(store_faults, a_segment_of_another_store_is_not_believed)
{
    struct kit kit, other;
    struct store_object object;
    char command[400];

    kit_init(&kit, KIT_SIZE);
    kit_init(&other, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 3000), 0);
    cr_assert_eq(kit_put(other.store, "k", 3000), 0);
    store_close(&kit.store);
    store_close(&other.store);
    snprintf(command, sizeof(command), "cp %s/seg-00000001.mdb %s/", other.dir, kit.dir);
    cr_assert_eq(system(command), 0);
    kit_reopen(&kit);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    cr_expect_eq(kit_put(kit.store, "k", 3000), 0);
    cr_expect_eq(kit_check(kit.store, "k", 3000), 0);
    kit_fini(&kit);
    kit_fini(&other);
}

/* What may be done to a file while the store is closed; afterwards the store must open, answer
 * nothing wrong, and take new objects. */
static const char *const damages[] = {
    "rm seg-00000001.mdb",
    "truncate -s 0 seg-00000001.mdb",
    "truncate -s 10000 seg-00000001.mdb",
    "truncate -s 100000 seg-00000001.mdb",
    "head -c 8192 /dev/urandom > seg-00000001.mdb",
    "rm index.mdb",
    "truncate -s 0 index.mdb",
    "truncate -s 9000 index.mdb",
    "head -c 65536 /dev/urandom > index.mdb",
    "touch seg-00000099.mdb seg-zz.mdb",
};

Test(store_faults, damaged_files_lose_objects_and_nothing_else)
{
    for (size_t n = 0; n < ARRAY_LEN(damages); n++) {
        struct kit kit;
        char command[400], key[64];
        kit_init(&kit, KIT_SIZE);
        for (size_t i = 0; i < 20; i++) {
            key_of(key, i);
            cr_assert_eq(kit_post(kit.store, key, len_of(i)), true);
        }
        store_close(&kit.store);
        snprintf(command, sizeof(command), "cd %s && %s", kit.dir, damages[n]);
        cr_assert_eq(system(command), 0);
        kit_reopen(&kit);
        for (size_t i = 0; i < 20; i++) {
            key_of(key, i);
            int err = kit_check(kit.store, key, len_of(i));
            if (err == ERR_CORRUPT) {
                store_flush(kit.store);
                err = kit_check(kit.store, key, len_of(i));
            }
            cr_expect(err == 0 || err == ERR_NOT_FOUND, "%s: %s", damages[n], err_text(err));
        }
        cr_expect_eq(kit_put(kit.store, "new", 3000), 0, "%s", damages[n]);
        cr_expect_eq(kit_check(kit.store, "new", 3000), 0, "%s", damages[n]);
        kit_fini(&kit);
    }
}

static void spoil(const struct kit *kit, const char *name, unsigned round)
{
    char path[128];
    struct stat file;

    snprintf(path, sizeof(path), "%s/%s", kit->dir, name);
    int fd = open(path, O_WRONLY);
    cr_assert(fd >= 0 && fstat(fd, &file) == 0);
    off_t from = round % 4 ? 8192 : 0; /* the meta pages less often: they spoil everything */
    for (unsigned n = 0; n < 20; n++) {
        uint64_t garbage = (uint64_t)random() * 2654435761u;
        off_t at = from + random() % (file.st_size - from - 8);
        cr_assert_eq(pwrite(fd, &garbage, 1 + round % 8, at), (ssize_t)(1 + round % 8));
    }
    close(fd);
}

/* Random bytes anywhere, tree pages included, in the file `name`: objects may be lost, but nothing
 * wrong is served, the process lives, and what is put afterwards is there. */
static void survive_garbage_in(const char *name, unsigned *right, unsigned *lost)
{
    enum { ROUNDS = 12, OBJECTS = 120 };

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct kit kit;
        char key[64];
        kit_init(&kit, KIT_SIZE);
        for (size_t i = 0; i < OBJECTS; i++) {
            key_of(key, i);
            cr_assert(kit_post(kit.store, key, 200 + 37 * i));
        }
        cr_assert_eq(kit_put(kit.store, "seals the first segment", 1000000), 0);
        cr_assert_eq(kit_put(kit.store, "and begins the second", 1000000), 0);
        store_close(&kit.store);
        spoil(&kit, name, round);
        kit_reopen(&kit);
        for (size_t i = 0; i < OBJECTS; i++) {
            key_of(key, i);
            int err = kit_check(kit.store, key, 200 + 37 * i);
            *right += err == 0;
            *lost += err != 0;
        }
        for (size_t i = 0; i < OBJECTS; i++) {
            key_of(key, i + 50);
            cr_assert(kit_post(kit.store, key, 2500));
        }
        store_flush(kit.store);
        for (size_t i = 0; i < OBJECTS; i++) {
            key_of(key, i + 50);
            cr_expect_eq(kit_check(kit.store, key, 2500), 0, "%s round %u", name, round);
        }
        kit_fini(&kit);
    }
}

Test(store_faults, garbage_anywhere_in_a_file_is_survived)
{
    static const char *const names[] = {"seg-00000001.mdb", "seg-00000002.mdb", "index.mdb"};

    srandom(7);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unsigned right = 0, lost = 0;
        survive_garbage_in(names[i], &right, &lost);
        cr_expect_gt(right, 0, "%s", names[i]);
        cr_expect_gt(lost + (i == 1), 0, "%s", names[i]);
    }
}

/* A page of LMDB that is a leaf with at least five records: of the large tree. */
static bool is_full_leaf(const char *page)
{
    uint16_t flags, lower;

    memcpy(&flags, page + 10, sizeof(flags));
    memcpy(&lower, page + 12, sizeof(lower));
    return flags == 2 && lower >= 16 + 5 * 2;
}

/* Makes nonsense of the header of each such page that holds `pattern`. False without one. */
static bool ruin_leaves_with(const char *path, struct span pattern)
{
    struct stat file;
    bool ruined = false;
    int fd = open(path, O_RDWR);

    cr_assert(fd >= 0 && fstat(fd, &file) == 0);
    size_t size = (size_t)file.st_size;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (size_t at = 0; at + 4096 <= size; at += 4096) {
        if (is_full_leaf(map + at) && memmem(map + at, 4096, pattern.at, pattern.len)) {
            memset(map + at + 8, 0x5a, 8);
            ruined = true;
        }
    }
    munmap(map, size);
    close(fd);
    return ruined;
}

/* Found when the first write comes: who reads goes on, and the store begins anew. */
Test(store_faults, a_damaged_index_is_replaced_under_its_readers)
{
    enum { OBJECTS = 400 };
    struct kit kit;
    struct store_object held;
    uint8_t hashes[OBJECTS][STORE_HASH];
    char path[128], key[64];
    unsigned readable = 0;
    size_t victim = 0;

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < OBJECTS; i++) {
        key_of(key, i);
        cr_assert(kit_post(kit.store, key, 3000));
        kit_hash(kit.store, span_str(key), hashes[i]);
    }
    store_close(&kit.store);
    snprintf(path, sizeof(path), "%s/index.mdb", kit.dir);
    while (!ruin_leaves_with(path, span_of(hashes[victim], STORE_HASH))) {
        cr_assert_lt(++victim, OBJECTS);
    }
    kit_reopen(&kit);

    key_of(key, victim);
    cr_expect_neq(kit_find(kit.store, key, &held), 0);
    for (size_t i = 0; i < OBJECTS; i++) {
        key_of(key, i);
        readable += kit_check(kit.store, key, 3000) == 0;
    }
    cr_assert(readable > 0 && readable < OBJECTS, "%u: the other pages serve", readable);
    for (size_t i = 0; kit_find(kit.store, key, &held) != 0; i++) {
        cr_assert_lt(i, OBJECTS);
        key_of(key, i);
    }
    cr_expect_eq(kit_put(kit.store, "new", 3000), 0);
    cr_expect_eq(kit_check(kit.store, "new", 3000), 0);
    cr_expect_eq(kit_check(kit.store, key, 3000), ERR_NOT_FOUND);
    cr_expect_eq(kit_compare(kit.store, key, 3000, &held), 0, "who held it keeps it");
    store_object_done(kit.store, &held);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "new", 3000), 0, "under the same secret");
    kit_fini(&kit);
}

/* ---- a process that dies ---- */

_Noreturn static void write_until_killed(const struct kit *kit, unsigned round, int begun)
{
    struct store_options options = {.path = kit->dir, .size = kit->size, .dirty_limit = 1u << 30};
    struct store *store;
    char key[64];

    if (store_open(&options, &store) != 0) {
        _exit(1);
    }
    for (size_t i = round;; i++) {
        key_of(key, i % 200);
        if (!kit_post(store, key, len_of(i % 200))) {
            _exit(2);
        }
        if (i % 5 == 0) {
            store_flush(store);
        }
        if (i == round + 5 && write(begun, "x", 1) != 1) {
            _exit(3);
        }
    }
}

Test(store_faults, after_kill_9_every_object_found_is_whole)
{
    enum { ROUNDS = 20, OBJECTS = 200 };
    struct kit kit;
    char key[64];
    unsigned found = 0;

    kit_init(&kit, KIT_SIZE);
    store_close(&kit.store);
    srandom(1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int begun[2], status;
        char byte;
        cr_assert_eq(pipe(begun), 0);
        pid_t child = fork();
        if (child == 0) {
            write_until_killed(&kit, round * 37, begun[1]);
        }
        close(begun[1]);
        cr_assert_eq(read(begun[0], &byte, 1), 1);
        usleep((useconds_t)(random() % 100000));
        kill(child, SIGKILL);
        close(begun[0]);
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status), "the child wrote until it was killed");

        kit_reopen(&kit);
        for (size_t i = 0; i < OBJECTS; i++) {
            key_of(key, i);
            int err = kit_check(kit.store, key, len_of(i));
            cr_assert(err == 0 || err == ERR_NOT_FOUND, "round %u: %s", round, err_text(err));
            found += err == 0;
        }
        cr_assert_leq(kit_disk_use(&kit), KIT_SIZE);
        store_close(&kit.store);
    }
    cr_expect_gt(found, ROUNDS, "the rounds left something to check");
    kit_fini(&kit);
}

/* What was acknowledged before the kill must be there after it. */
Test(store_faults, after_kill_9_what_was_acknowledged_is_there)
{
    struct kit kit;
    int pipes[2];
    char key[64];
    size_t acknowledged = 0;

    kit_init(&kit, 4 * KIT_SIZE);
    store_close(&kit.store);
    cr_assert_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        kit_reopen(&kit);
        for (size_t i = 0;; i++) {
            key_of(key, i);
            if (kit_put(kit.store, key, 3000) != 0 || write(pipes[1], "x", 1) != 1) {
                _exit(1);
            }
        }
    }
    close(pipes[1]);
    char byte;
    while (acknowledged < 20 && read(pipes[0], &byte, 1) == 1) {
        acknowledged++;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(pipes[0], &byte, 1) == 1) {
        acknowledged++;
    }
    close(pipes[0]);
    kit_reopen(&kit);
    for (size_t i = 0; i < acknowledged; i++) {
        key_of(key, i);
        cr_expect_eq(kit_check(kit.store, key, 3000), 0, "object %zu of %zu", i, acknowledged);
    }
    cr_expect_geq(acknowledged, 20);
    kit_fini(&kit);
}

/* ---- a disk that refuses ---- */

static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* A life of the store in a process of its own, as limits stay; it ends with _exit(0). */
static void live(void (*life)(struct kit *kit), struct kit *kit)
{
    int status;

    store_close(&kit->store);
    pid_t child = fork();
    if (child == 0) {
        life(kit);
    }
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

#define MUST(expression)                                                                           \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expression);                       \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

_Noreturn static void refuse_and_recover(struct kit *kit)
{
    struct store_put *put;
    struct store_object object;
    struct store_stats stats;
    uint8_t hash[STORE_HASH];

    alarm(100); /* ends us should it never recover */
    kit_reopen(kit);
    MUST(kit_put(kit->store, "before", 400000) == 0);
    limit_files_to(600000);
    MUST(kit_put(kit->store, "refused", 700000) < 0);
    MUST(kit_find(kit->store, "refused", &object) == ERR_NOT_FOUND);
    MUST(kit_check(kit->store, "before", 400000) == 0);
    store_stats(kit->store, &stats);
    MUST(stats.commit_errors > 0 && stats.dirty == 0);

    /* The pause doubles until we are fast enough to meet it. */
    kit_hash(kit->store, SPAN("next"), hash);
    while (store_put_begin(kit->store, hash, SPAN("next"), &put) == 0) {
        store_put_abort(put);
        MUST(kit_put(kit->store, "refused", 700000) < 0);
    }
    limit_files_to(RLIM_INFINITY);
    while (store_put_begin(kit->store, hash, SPAN("next"), &put) != 0) {
        usleep(20000);
    }
    store_put_abort(put);
    MUST(kit_put(kit->store, "after", 700000) == 0);
    MUST(kit_check(kit->store, "after", 700000) == 0);
    MUST(kit_check(kit->store, "before", 400000) == 0);
    store_close(&kit->store);
    _exit(0);
}

Test(store_faults, a_refused_write_loses_its_batch_and_later_ones_succeed)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    live(refuse_and_recover, &kit);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "before", 400000), 0);
    cr_expect_eq(kit_check(kit.store, "after", 700000), 0);
    kit_fini(&kit);
}

/* ---- a disk that others fill ---- */

enum { NO_NAMESPACE = 77 };

/* A filesystem of its own for this process: smaller than the store believes. For root only. */
static bool mount_small_disk(const char *dir)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", dir, "tmpfs", 0, "size=12m") == 0;
}

_Noreturn static void fill_small_disk(struct kit *kit)
{
    struct store_stats stats;
    char key[64];

    if (!mount_small_disk(kit->dir)) {
        _exit(NO_NAMESPACE);
    }
    kit->size = 4 * KIT_SIZE;
    kit_reopen(kit);
    for (size_t i = 0; i < 400; i++) {
        key_of(key, i);
        MUST(kit_put(kit->store, key, 60000) == 0);
        MUST(kit_check(kit->store, key, 60000) == 0);
    }
    store_stats(kit->store, &stats);
    MUST(stats.evicted_segments > 0 && stats.commit_errors == 0);
    kit_reopen(kit);
    MUST(kit_check(kit->store, key, 60000) == 0);
    store_close(&kit->store);
    _exit(0);
}

Test(store_faults, a_disk_smaller_than_the_store_is_used_as_it_is)
{
    struct kit kit;
    int status;

    kit_init(&kit, KIT_SIZE);
    store_close(&kit.store);
    pid_t child = fork();
    if (child == 0) {
        fill_small_disk(&kit);
    }
    waitpid(child, &status, 0);
    kit_reopen(&kit);
    kit_fini(&kit);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NAMESPACE) {
        cr_skip_test("no filesystem of our own here");
    }
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

static void expect_k_gone(void (*life)(struct kit *kit))
{
    struct kit kit;
    struct store_object object;

    kit_init(&kit, KIT_SIZE);
    live(life, &kit);
    kit_reopen(&kit);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    kit_fini(&kit);
}

/* A drop that cannot be written hides its object all the same, and is written later. */
_Noreturn static void drop_under_refusal(struct kit *kit)
{
    struct store_object object;
    uint8_t hash[STORE_HASH];
    struct store_stats stats;
    int result = 1;

    kit_reopen(kit);
    MUST(kit_put(kit->store, "k", 3000) == 0);
    kit_hash(kit->store, SPAN("k"), hash);
    limit_files_to(1);
    store_drop(kit->store, hash, kit_on_done, &result);
    store_flush(kit->store);
    MUST(result < 0);
    store_stats(kit->store, &stats);
    MUST(stats.deletions == 1);
    MUST(kit_find(kit->store, "k", &object) == ERR_NOT_FOUND);
    limit_files_to(RLIM_INFINITY);
    store_close(&kit->store);
    _exit(0);
}

Test(store_faults, a_refused_drop_hides_its_object_and_is_tried_again)
{
    expect_k_gone(drop_under_refusal);
}

static void lift_limit(void *arg, int err)
{
    *(int *)arg = err;
    limit_files_to(RLIM_INFINITY);
}

/* The last batch before the end fails, as a whole, and the disk works again behind it. */
_Noreturn static void replace_at_the_end(struct kit *kit)
{
    uint8_t hash[STORE_HASH];
    int result = 1;

    kit_reopen(kit);
    MUST(kit_put(kit->store, "k", 3000) == 0);
    MUST(kit_put(kit->store, "other", 3000) == 0);
    kit_hash(kit->store, SPAN("other"), hash);
    limit_files_to(1);
    MUST(kit_post(kit->store, "k", 4000));
    store_update(kit->store, hash, SPAN("other"), SPAN("head"), "m", 1, lift_limit, &result);
    store_close(&kit->store);
    MUST(result < 0);
    _exit(0);
}

Test(store_faults, what_was_replaced_is_dropped_though_the_last_batch_failed)
{
    expect_k_gone(replace_at_the_end);
}

/* A disk that refuses to the end is not waited for. */
_Noreturn static void refuse_to_the_end(struct kit *kit)
{
    uint8_t hash[STORE_HASH];
    int result = 1;

    alarm(100);
    kit_reopen(kit);
    MUST(kit_put(kit->store, "k", 3000) == 0);
    kit_hash(kit->store, SPAN("k"), hash);
    limit_files_to(1);
    store_drop(kit->store, hash, kit_on_done, &result);
    store_close(&kit->store);
    MUST(result < 0);
    _exit(0);
}

Test(store_faults, a_disk_that_refuses_to_the_end_is_closed)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    live(refuse_to_the_end, &kit);
    kit_reopen(&kit);
    kit_fini(&kit);
}

/* What was to replace an object is refused, as is the drop of that; a new head comes for it, within
 * the pause, and is not written on what is older. */
_Noreturn static void update_what_was_refused(struct kit *kit)
{
    struct store_object object;
    uint8_t hash[STORE_HASH];
    int result = 1;

    kit_reopen(kit);
    MUST(kit_put(kit->store, "k", 3000) == 0);
    MUST(kit_put(kit->store, "other", 3000) == 0);
    limit_files_to(1);
    MUST(kit_put(kit->store, "k", 4000) < 0);
    limit_files_to(RLIM_INFINITY);
    kit_hash(kit->store, SPAN("k"), hash);
    store_update(kit->store, hash, SPAN("k"), SPAN("head"), "m", 1, kit_on_done, &result);
    store_flush(kit->store);
    MUST(result == ERR_NOT_FOUND);
    MUST(kit_find(kit->store, "k", &object) == ERR_NOT_FOUND);
    _exit(0); /* as if killed: nothing is written behind it */
}

Test(store_faults, a_new_head_for_what_was_refused_is_not_written_on_what_is_older)
{
    struct kit kit;
    struct store_object object;

    kit_init(&kit, KIT_SIZE);
    live(update_what_was_refused, &kit);
    kit_reopen(&kit);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    cr_expect_eq(kit_check(kit.store, "other", 3000), 0);
    kit_fini(&kit);
}
