/* Files of a store that go bad while it is in use: a length, a bit, a page. pread() is wrapped at
 * link time. */
#include "store_kit.h"

#include "base/err.h"
#include "base/lmdb_page.h"
#include "base/mem.h"
#include "cache/store/store_parts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_of(const struct kit *kit, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", kit->dir, name);
}

/* The roots stay where LMDB looks first, what they lead to does not. Who only counts goes on. */
Test(store_live, a_lost_end_of_the_index_ends_nobody_who_asks_for_numbers)
{
    struct kit kit;
    struct store_stats stats;
    char path[128], key[64];

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "http://example.net:80/live/%zu", i);
        cr_assert(kit_post(kit.store, key, 100));
    }
    store_flush(kit.store);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 200);
    path_of(&kit, "index.mdb", path);
    cr_assert_eq(truncate(path, 8192), 0);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 200, "as of the last commit");
    cr_expect_neq(kit_check(kit.store, key, 100), 0);
    cr_expect_neq(kit_put(kit.store, "new", 100), 0, "the writer gives it up");
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 200);
    kit_fini(&kit);
}

/* ---- pages that the disk does not give ---- */

static struct {
    _Atomic ino_t file; /* 0: all can be read */
    _Atomic off_t from;
} bad;
static atomic_size_t longest; /* bytes that were asked for at once, at most */

enum { PAGE = 4096 };

ssize_t __real_pread64(int fd, void *to, size_t len, off_t from);
ssize_t __wrap_pread64(int fd, void *to, size_t len, off_t from);

ssize_t __wrap_pread64(int fd, void *to, size_t len, off_t from)
{
    struct stat file;

    if (len > atomic_load(&longest)) {
        atomic_store(&longest, len);
    }
    if (atomic_load(&bad.file) && from < atomic_load(&bad.from) + PAGE &&
        from + (off_t)len > atomic_load(&bad.from) && fstat(fd, &file) == 0 &&
        file.st_ino == atomic_load(&bad.file)) {
        errno = EIO;
        return -1;
    }
    return __real_pread64(fd, to, len, from);
}

/* ---- an eviction copies what is used, and only that ---- */

static void put_used(struct kit *kit, const char *key, size_t len)
{
    struct store_object object;

    cr_assert_eq(kit_put(kit->store, key, len), 0);
    cr_assert_eq(kit_find(kit->store, key, &object), 0, "its checksum holds");
    store_used(kit->store, &object);
    store_object_done(kit->store, &object);
}

static void init_for_bytes(struct kit *kit)
{
    kit_init(kit, 4 * KIT_SIZE);
    kit->favor = S3_BYTES; /* whatever was used is kept */
    kit_reopen(kit);
}

/* Until what was stored first is where it is no more. */
static void push_out_the_first(struct kit *kit)
{
    char key[64];

    for (size_t i = 0; kit_matches(kit, "seg-00000001.mdb") > 0; i++) {
        cr_assert_lt(i, 500);
        snprintf(key, sizeof(key), "http://example.net:80/push/%zu", i);
        cr_assert_eq(kit_put(kit->store, key, 200000), 0);
    }
}

/* Flips a bit of each copy of the pattern in the first segment. */
static void flip_live(const struct kit *kit, struct span pattern)
{
    char path[128];
    struct stat file;

    path_of(kit, "seg-00000001.mdb", path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &file) == 0);
    size_t size = (size_t)file.st_size, flipped = 0;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert_neq((void *)map, MAP_FAILED);
    for (char *at = map; (at = memmem(at, size - (size_t)(at - map), pattern.at, pattern.len));) {
        *at ^= 0x10;
        flipped++;
    }
    cr_expect_gt(flipped, 0);
    munmap(map, size);
    close(fd);
}

/* The checksum of the copy would be that of the damage. */
Test(store_live, a_bit_that_flips_in_use_gets_no_new_checksum, .timeout = 60)
{
    struct kit kit;
    struct store_object object;
    uint8_t hash[STORE_HASH];
    char *body = kit_body(SPAN("body"), 30000);

    init_for_bytes(&kit);
    put_used(&kit, "whole", 30000);
    put_used(&kit, "body", 30000);
    put_used(&kit, "head", 30000);
    kit_hash(kit.store, SPAN("head"), hash);
    store_update(kit.store, hash, SPAN("head"), SPAN("a head that came later"), "m", 1, NULL, NULL);
    store_flush(kit.store);
    cr_assert_eq(kit_find(kit.store, "head", &object), 0);
    store_object_done(kit.store, &object);

    flip_live(&kit, span_of(body + 15000, 64));
    flip_live(&kit, SPAN("a head that came later"));
    push_out_the_first(&kit);
    cr_expect_eq(kit_check(kit.store, "whole", 30000), 0, "it was kept");
    cr_expect_neq(kit_find(kit.store, "body", &object), 0);
    cr_expect_neq(kit_find(kit.store, "head", &object), 0);
    free(body);
    kit_fini(&kit);
}

/* A page in the middle of what is lent is gone: in this mapping, and in the file. */
static void lose_page(struct store_pin *pin, struct span lent)
{
    static int empty = -1;
    struct file_place place = store_place(pin, lent);
    struct stat file;
    size_t skip = PAGE - place.offset % PAGE + PAGE;
    void *page;

    cr_assert(lent.len > skip + PAGE && fstat(place.fd, &file) == 0);
    empty = empty >= 0 ? empty : memfd_create("empty", MFD_CLOEXEC);
    const char *at = lent.at + skip;
    memcpy(&page, &at, sizeof(page));
    cr_assert_eq(mmap(page, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, empty, 0), page);
    atomic_store(&bad.from, (off_t)(place.offset + skip));
    atomic_store(&bad.file, file.st_ino);
}

static void lose_page_of(struct kit *kit, const char *key)
{
    struct store_object object;
    struct store_pin *pin;
    struct span lent;

    cr_assert_eq(kit_find(kit->store, key, &object), 0);
    if (object.chunk_count == 0) {
        lose_page(object.pin, object.body);
    } else {
        cr_assert_eq(store_lend(kit->store, &object.chunks[2], &pin, &lent), 0);
        lose_page(pin, lent);
        store_unpin(kit->store, pin);
    }
    store_object_done(kit->store, &object);
}

Test(store_live, a_page_lost_under_a_used_object_costs_that_object, .timeout = 60)
{
    static const char *const keys[] = {"inline", "chunks"};
    struct kit kit;
    struct store_stats stats;
    struct store_object object;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        init_for_bytes(&kit);
        put_used(&kit, "inline", 100000);
        put_used(&kit, "chunks", 1300000);
        put_used(&kit, "whole", 30000);
        lose_page_of(&kit, keys[i]);
        push_out_the_first(&kit);
        store_stats(kit.store, &stats);
        cr_expect_eq(stats.commit_errors, 0, "%s", keys[i]);
        cr_expect_gt(stats.unreadable, 0, "%s", keys[i]);
        cr_expect_eq(kit_check(kit.store, "whole", 30000), 0, "%s", keys[i]);
        cr_expect_neq(kit_find(kit.store, keys[i], &object), 0, "%s", keys[i]);
        atomic_store(&bad.file, 0);
        kit_fini(&kit);
    }
}

/* Flips a bit of an object's record, so many bytes behind its hash. */
static void flip_in_record(struct kit *kit, const char *key, size_t behind, int bit)
{
    char path[128];
    struct stat file;
    uint8_t hash[STORE_HASH];
    unsigned flipped = 0;

    kit_hash(kit->store, span_str(key), hash);
    path_of(kit, "seg-00000001.mdb", path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &file) == 0);
    size_t size = (size_t)file.st_size;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert_neq((void *)map, MAP_FAILED);
    for (char *at = map + 16; (at = memmem(at, size - (size_t)(at - map), hash, sizeof(hash)));) {
        if (memcmp(at - 16, "LOBJ", 4) == 0) {
            at[behind] = (char)(at[behind] ^ bit);
            flipped++;
        }
        at++;
    }
    cr_expect_gt(flipped, 0);
    munmap(map, size);
    close(fd);
}

/* The reader counts chunks by the lengths, and finds them by their numbers: another one that is
 * there has a checksum that holds. */
Test(store_live, a_bit_of_a_table_of_chunks_that_flips_in_use_is_found)
{
    static const struct {
        const char *what;
        size_t behind;
        int bit;
    } cases[] = {
        {"the body, larger", 16 + 2, 0x40}, {"the body, smaller", 16 + 2, 0x10},
        {"a chunk", 40 + 8, 0x20},          {"the last chunk", 40 + 4 * 24 + 8, 0x01},
        {"a chunk's number", 40 + 4, 0x02},
    };
    struct kit kit;
    struct store_object object;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        kit_init(&kit, KIT_SIZE);
        cr_assert_eq(kit_put(kit.store, "chunks", 1300000), 0);
        cr_assert_eq(kit_check(kit.store, "chunks", 1300000), 0);
        flip_in_record(&kit, "chunks", cases[i].behind, cases[i].bit);
        cr_expect_eq(kit_find(kit.store, "chunks", &object), ERR_CORRUPT, "%s", cases[i].what);
        store_flush(kit.store);
        cr_expect_eq(kit_find(kit.store, "chunks", &object), ERR_NOT_FOUND, "%s", cases[i].what);
        kit_fini(&kit);
    }
}

/* ---- somebody else writes to a file ---- */

static int64_t modified(const char *path)
{
    struct stat file;

    cr_assert_eq(stat(path, &file), 0);
    return file.st_mtim.tv_sec * 1000000000 + file.st_mtim.tv_nsec;
}

/* Until the time of the file shows it, as clocks of files are coarse. */
static void write_over(const struct kit *kit, struct span pattern)
{
    char path[128];

    path_of(kit, "seg-00000001.mdb", path);
    int64_t before = modified(path);
    flip_live(kit, pattern);
    while (modified(path) == before) {
        usleep(1000);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        char byte;
        cr_assert(fd >= 0 && pread(fd, &byte, 1, 0) == 1 && pwrite(fd, &byte, 1, 0) == 1);
        close(fd);
    }
    usleep(2000); /* it is looked at once in a millisecond */
}

Test(store_live, what_was_verified_is_verified_again_when_somebody_has_written_to_the_file)
{
    static const struct {
        const char *key;
        size_t len;
    } cases[] = {{"inline", 30000}, {"chunks", 1300000}};
    struct kit kit;
    struct store_object object;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *body = kit_body(span_str(cases[i].key), cases[i].len);
        kit_init(&kit, 4 * KIT_SIZE);
        cr_assert_eq(kit_put(kit.store, "whole", 30000), 0);
        cr_assert_eq(kit_put(kit.store, cases[i].key, cases[i].len), 0);
        cr_assert_eq(kit_check(kit.store, cases[i].key, cases[i].len), 0);
        cr_assert_eq(kit_check(kit.store, "whole", 30000), 0);
        write_over(&kit, span_of(body + cases[i].len / 2, 64));
        cr_expect_neq(kit_check(kit.store, cases[i].key, cases[i].len), 0, "%s", cases[i].key);
        cr_expect_eq(kit_check(kit.store, "whole", 30000), 0);
        store_flush(kit.store);
        cr_expect_neq(kit_find(kit.store, cases[i].key, &object), 0, "%s", cases[i].key);
        free(body);
        kit_fini(&kit);
    }
}

/* ---- pages of trees that LMDB would follow ---- */

/* Makes each leaf and branch of a file say that its free space ends behind the page. */
static unsigned spoil_trees(const struct kit *kit, const char *name)
{
    char path[128];
    struct stat file;
    struct page page;
    unsigned spoiled = 0;

    path_of(kit, name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &file) == 0);
    for (off_t at = (off_t)2 * PAGE; at + PAGE <= file.st_size; at += PAGE) {
        cr_assert_eq(pread(fd, &page, sizeof(page), at), (ssize_t)sizeof(page));
        if (page.number == (uint64_t)at / PAGE &&
            (page.flags == PAGE_LEAF || page.flags == PAGE_BRANCH)) {
            page.upper = 0xfff0;
            cr_assert_eq(pwrite(fd, &page, sizeof(page), at), (ssize_t)sizeof(page));
            spoiled++;
        }
    }
    close(fd);
    return spoiled;
}

static void put_many(struct kit *kit, const char *what)
{
    char key[64];

    for (size_t i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "http://example.net:80/%s/%zu", what, i);
        cr_assert(kit_post(kit->store, key, 100));
    }
    store_flush(kit->store);
}

/* Then the batch that meets the damage is written to another one. */
Test(store_live, a_damaged_index_is_replaced_by_the_batch_that_finds_it)
{
    struct kit kit;
    struct store_stats stats;
    struct store_object object;

    kit_init(&kit, KIT_SIZE);
    put_many(&kit, "old");
    for (unsigned loss = 0; loss < 2; loss++) {
        cr_expect_gt(spoil_trees(&kit, "index.mdb"), 3);
        cr_expect_eq(kit_put(kit.store, "found it", 100), 0);
        put_many(&kit, "new");
        cr_expect_eq(kit_check(kit.store, "found it", 100), 0);
        cr_expect_eq(kit_check(kit.store, "http://example.net:80/new/499", 100), 0);
        cr_expect_eq(kit_find(kit.store, "http://example.net:80/old/1", &object), ERR_NOT_FOUND);
    }
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 501);
    cr_expect_eq(stats.commit_errors, 0);
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "found it", 100), 0, "also in the next run");
    kit_fini(&kit);
}

/* A disk on which this goes on is no place for a store. */
Test(store_live, an_index_that_is_damaged_again_and_again_is_given_up)
{
    struct kit kit;
    unsigned lost = 0;

    kit_init(&kit, KIT_SIZE);
    put_many(&kit, "old");
    while (lost < 20 && kit_put(kit.store, "another", 100) == 0) {
        spoil_trees(&kit, "index.mdb");
        lost++;
    }
    cr_expect_lt(lost, 10);
    cr_expect_neq(kit_put(kit.store, "another", 100), 0);
    kit_fini(&kit);
}

Test(store_live, a_damaged_segment_is_not_written_to_any_more)
{
    struct kit kit;
    struct store_stats stats;

    kit_init(&kit, KIT_SIZE);
    put_many(&kit, "old");
    cr_expect_gt(spoil_trees(&kit, "seg-00000001.mdb"), 3);
    put_many(&kit, "new");
    cr_expect_eq(kit_check(kit.store, "http://example.net:80/new/499", 100), 0);
    cr_expect_eq(kit_matches(&kit, "seg-*.mdb"), 2);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.commit_errors, 0);
    kit_fini(&kit);
}

/* ---- a length that is wrong ---- */

/* Makes the value of the first record longer by so much, in the leaves that lead to it. */
static void lengthen_first(const struct kit *kit, uint32_t by)
{
    char path[128], page[PAGE];
    unsigned lengthened = 0;

    path_of(kit, "seg-00000001.mdb", path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    for (uint64_t at = 2; pread(fd, page, PAGE, (off_t)at * PAGE) == PAGE; at++) {
        struct page header;
        struct node node;
        uint16_t offset;
        uint32_t key;
        memcpy(&header, page, sizeof(header));
        if (header.number != at || header.flags != PAGE_LEAF) {
            continue;
        }
        memcpy(&offset, page + sizeof(header), sizeof(offset));
        memcpy(&node, page + offset, sizeof(node));
        memcpy(&key, page + offset + sizeof(node), sizeof(key));
        if (node.flags == NODE_BIG && node.key_len == sizeof(key) && key == 1) {
            node.high = (uint16_t)(node.high + (by >> 16));
            cr_assert_eq(pwrite(fd, &node, sizeof(node), (off_t)at * PAGE + offset), sizeof(node));
            lengthened++;
        }
    }
    close(fd);
    cr_assert_gt(lengthened, 0);
}

/* The file has room for it, and memory may have not. */
Test(store_live, a_wrong_length_costs_no_memory)
{
    enum { LONGER = 16 << 20 };
    struct kit kit;
    struct segment_record read;
    char key[16];

    kit_init(&kit, UINT64_C(4) << 30); /* segments of 32 MiB */
    for (unsigned i = 0; i < 24; i++) {
        snprintf(key, sizeof(key), "%u", i);
        cr_assert_eq(kit_put(kit.store, key, 1000000), 0);
    }
    lengthen_first(&kit, LONGER);
    struct segments *segments = &kit.store->disk.segments;
    struct segment *segment = segments_pin(segments, 1);
    cr_assert_not_null(segment);
    atomic_store(&longest, 0);
    cr_expect_eq(lookup_record(segment, 1, WALK_READ, &read), ERR_CORRUPT);
    cr_expect_lt(atomic_load(&longest), LONGER);
    segments_unpin(segments, segment);
    kit_fini(&kit);
}
