#include "cache/store/disk.h"

#include "base/check.h"
#include "base/err.h"
#include "store_kit.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEN = 1000 };

static void make_file(const struct kit *kit, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", kit->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
}

/* What lies in a store's directory when it is opened, and whether it stays. */
static const struct {
    const char *name;
    bool stays;
} found[] = {
    {"seg-00000077.mdb", false}, /* of a segment that no commit has listed */
    {"seg-00000077.mdb-lock", false},
    {"seg-00000078.mdb-lock", false},
    {"seg-fffffffe.mdb", false},
    {"spare-00000001.mdb", false}, /* though there is a segment of this number */
    {"spare-00000012.mdb", false},
    {"blank.mdb", false},
    {"seg-00000077.mdb.bak", true}, /* not ours, whatever they begin with */
    {"seg-00000077.mdb-lock.bak", true},
    {"seg-00000077", true},
    {"seg-00000077.txt", true},
    {"seg-0000007F.mdb", true},
    {"seg-77.mdb", true},
    {"seg-before.mdb", true},
    {"my-seg-00000077.mdb", true},
    {"spare-00000012.mdb.bak", true},
    {"spare-00000012", true},
    {"spare-12.mdb", true},
    {"spare-feed.txt", true},
    {"blank.mdb.bak", true},
    {"notes", true},
};

Test(disk, strays_are_removed_at_the_start_and_nothing_else)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", LEN), 0);
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        make_file(&kit, found[i].name);
    }
    kit_reopen(&kit);
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        cr_expect_eq(kit_matches(&kit, found[i].name), found[i].stays, "%s", found[i].name);
    }
    cr_expect_eq(kit_matches(&kit, "index.mdb"), 1);
    cr_expect_eq(kit_matches(&kit, "seg-00000001.mdb"), 1, "the index lists it");
    cr_expect_eq(kit_matches(&kit, "seg-00000001.mdb-lock"), 1);
    cr_expect_eq(kit_check(kit.store, "k", LEN), 0);
    kit_fini(&kit);
}

/* An index that is gone lists nothing. */
Test(disk, without_its_index_all_segments_are_strays)
{
    struct kit kit;
    struct store_object object;
    char path[128];

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", LEN), 0);
    cr_assert_eq(kit_matches(&kit, "seg-*"), 2);
    store_close(&kit.store);
    snprintf(path, sizeof(path), "%s/index.mdb", kit.dir);
    cr_assert_eq(unlink(path), 0);
    kit_reopen(&kit);
    cr_expect_eq(kit_matches(&kit, "seg-*"), 0);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    kit_fini(&kit);
}

/* Writes over what the index says of the next id. No checksum covers that. */
static void forget_next(const struct kit *kit)
{
    const uint32_t first = 1;
    char path[128];
    struct stat file;
    unsigned hits = 0;

    snprintf(path, sizeof(path), "%s/index.mdb", kit->dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &file) == 0);
    size_t size = (size_t)file.st_size;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    for (char *at = map; (at = memmem(at, size - (size_t)(at - map), "next", 4)) != NULL; at += 4) {
        memcpy(at + 4, &first, sizeof(first));
        hits++;
    }
    munmap(map, size);
    close(fd);
    cr_assert_gt(hits, 0);
}

static void put_megabytes(const struct kit *kit, unsigned from, unsigned count)
{
    char key[32];

    for (unsigned i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "megabyte %u", i);
        cr_assert_eq(kit_put(kit->store, key, 1000000), 0);
    }
}

/* A record that has not been deleted so far may still name a segment that is gone. */
Test(disk, no_id_comes_back_though_the_next_one_is_lost)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    put_megabytes(&kit, 0, 20);
    cr_assert_eq(kit_matches(&kit, "seg-0000000[1-3].mdb"), 0, "they were evicted");
    store_close(&kit.store);
    forget_next(&kit);
    kit_reopen(&kit);
    put_megabytes(&kit, 20, 3);
    cr_expect_eq(kit_matches(&kit, "seg-0000000[1-3].mdb"), 0);
    kit_fini(&kit);
}
