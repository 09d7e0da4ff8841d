#include "cache/store/verify.h"

#include <criterion/criterion.h>

#include "base/err.h"
#include "base/mem.h"
#include "cache/store/survey.h"
#include "store_kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE (5 * (size_t)STORE_CHUNK + 10)

struct heard {
    unsigned complaints;
    char last[1024];
};

static void on_complaint(void *arg, const char *what)
{
    struct heard *heard = arg;

    heard->complaints++;
    snprintf(heard->last, sizeof(heard->last), "%s", what);
}

static void on_progress(void *arg, const struct verify_report *so_far)
{
    (void)arg;
    (void)so_far;
}

static int verify(const char *dir, struct verify_report *out, struct heard *heard)
{
    struct verify_options options = {
        .path = dir, .complain = on_complaint, .progress = on_progress, .arg = heard};

    *heard = (struct heard){0};
    return verify_directory(&options, out);
}

/* Flips a bit behind `text` in the file. */
static void flip(const struct kit *kit, const char *name, struct span text, size_t behind)
{
    char path[128];
    struct stat file;

    snprintf(path, sizeof(path), "%s/%s", kit->dir, name);
    int fd = open(path, O_RDWR);
    cr_assert(fd >= 0 && fstat(fd, &file) == 0);
    size_t size = (size_t)file.st_size;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *hit = memmem(map, size, text.at, text.len);
    cr_assert_not_null(hit);
    for (; hit; hit = memmem(hit + 1, size - (size_t)(hit + 1 - map), text.at, text.len)) {
        hit[behind] ^= 4;
    }
    munmap(map, size);
    close(fd);
}

static void fill(struct kit *kit)
{
    kit_init(kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit->store, "tiny", 10), 0);
    cr_assert_eq(kit_put(kit->store, "small", 1000), 0);
    cr_assert_eq(kit_put(kit->store, "middle", 100000), 0);
    cr_assert_eq(kit_put(kit->store, "large", LARGE), 0);
    kit_update(kit->store, "middle");
    store_flush(kit->store);
}

/* Names and lengths of all files: nothing may change. */
static uint64_t print_of(const struct kit *kit)
{
    DIR *dir = opendir(kit->dir);
    struct dirent *entry;
    struct stat file;
    uint64_t print = 0;

    while ((entry = readdir(dir)) != NULL) {
        cr_assert_eq(fstatat(dirfd(dir), entry->d_name, &file, 0), 0);
        if (S_ISREG(file.st_mode)) {
            print += file.st_ino * 31 + (uint64_t)file.st_size * 7 +
                     (uint64_t)file.st_mtim.tv_nsec + (uint64_t)file.st_mtim.tv_sec;
        }
    }
    closedir(dir);
    return print;
}

Test(verify, a_store_that_is_right)
{
    struct kit kit;
    struct verify_report report;
    struct heard heard;

    fill(&kit);
    store_close(&kit.store);
    uint64_t print = print_of(&kit);
    cr_assert_eq(verify(kit.dir, &report, &heard), 0);
    cr_expect_eq(report.right, 4);
    cr_expect_eq(report.dead + report.damaged + report.unreadable, 0);
    cr_expect_eq(report.bad_files + report.lost_segments + report.strays, 0);
    cr_expect_geq(report.segments, 1);
    cr_expect_geq(report.bytes, 101010 + LARGE);
    cr_expect_eq(heard.complaints, 0, "%s", heard.last);
    cr_expect_eq(print_of(&kit), print, "and nothing was changed");
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "large", LARGE), 0);
    kit_fini(&kit);
}

Test(verify, a_directory_in_use_or_without_a_store)
{
    struct kit kit;
    struct verify_report report;
    struct heard heard;
    char nothing[] = "/tmp/larder-verify-XXXXXX";

    kit_init(&kit, KIT_SIZE);
    cr_expect_eq(verify(kit.dir, &report, &heard), ERR_BUSY);
    kit_fini(&kit);
    cr_assert_not_null(mkdtemp(nothing));
    cr_expect_eq(verify(nothing, &report, &heard), ERR_NOT_FOUND);
    rmdir(nothing);
    cr_expect_eq(verify(nothing, &report, &heard), -ENOENT);
}

Test(verify, a_flipped_bit_in_a_body)
{
    static const struct {
        const char *key;
        size_t len, at;
    } cases[] = {{"tiny", 10, 0},
                 {"small", 1000, 500},
                 {"middle", 100000, 60000},
                 {"large", LARGE, 3 * (size_t)STORE_CHUNK + 1000}};
    struct kit kit;
    struct verify_report report;
    struct heard heard;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *body = kit_body(span_str(cases[i].key), cases[i].len);
        fill(&kit);
        store_close(&kit.store);
        size_t len = cases[i].len < 64 ? cases[i].len : 64;
        flip(&kit, "seg-00000001.mdb", span_of(body + cases[i].at, len), 0);
        cr_assert_eq(verify(kit.dir, &report, &heard), 0);
        cr_expect_eq(report.damaged, 1, "%s", cases[i].key);
        cr_expect_eq(report.right, 3, "%s", cases[i].key);
        cr_expect_neq(strstr(heard.last, "seg-00000001.mdb: object "), NULL, "%s", heard.last);
        free(body);
        kit_fini(&kit);
    }
}

Test(verify, a_flipped_bit_in_a_newer_head)
{
    struct kit kit;
    struct verify_report report;
    struct heard heard;

    fill(&kit);
    store_close(&kit.store);
    flip(&kit, "seg-00000001.mdb", SPAN("head of middle"), 3);
    cr_assert_eq(verify(kit.dir, &report, &heard), 0);
    cr_expect_eq(report.damaged, 1);
    kit_fini(&kit);
}

Test(verify, a_flipped_bit_in_the_index)
{
    struct kit kit;
    struct verify_report report;
    struct heard heard;

    fill(&kit);
    store_close(&kit.store);
    flip(&kit, "index.mdb", SPAN("middle"), 0); /* the caller's bytes in its record */
    cr_assert_eq(verify(kit.dir, &report, &heard), 0);
    cr_expect_eq(report.damaged, 1);
    cr_expect_eq(report.right, 3);
    cr_expect_neq(strstr(heard.last, "index.mdb: a record"), NULL, "%s", heard.last);
    kit_fini(&kit);
}

static void zero(const struct kit *kit, const char *name, off_t from)
{
    char path[128], zeros[4096] = {0};

    snprintf(path, sizeof(path), "%s/%s", kit->dir, name);
    int fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, zeros, sizeof(zeros), from), sizeof(zeros));
    close(fd);
}

Test(verify, an_index_or_a_segment_without_a_structure)
{
    struct kit kit;
    struct verify_report report;
    struct heard heard;

    fill(&kit);
    store_close(&kit.store);
    zero(&kit, "seg-00000001.mdb", 0);
    cr_assert_eq(verify(kit.dir, &report, &heard), 0);
    cr_expect_eq(report.bad_files, 1);
    cr_expect_eq(report.damaged, 4, "all that was in it");
    zero(&kit, "index.mdb", 0);
    cr_assert_eq(verify(kit.dir, &report, &heard), 0);
    cr_expect_eq(report.bad_files, 1);
    cr_expect_neq(strstr(heard.last, "start with an empty store"), NULL);
    kit_fini(&kit);
}

/* What was given up between two commits, and what a run that died has left. */
Test(verify, segments_that_are_not_there_and_files_that_nobody_lists)
{
    struct kit kit;
    struct verify_report report;
    struct heard heard;
    char path[128];

    kit_init(&kit, KIT_SIZE);
    for (int i = 0; i < 8; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        cr_assert_eq(kit_put(kit.store, key, 900000), 0);
    }
    store_close(&kit.store);
    snprintf(path, sizeof(path), "%s/seg-00000001.mdb", kit.dir);
    cr_assert_eq(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/seg-0000ffff.mdb", kit.dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    cr_assert_eq(verify(kit.dir, &report, &heard), 0);
    cr_expect_eq(report.lost_segments, 1);
    cr_expect_gt(report.dead, 0);
    cr_expect_eq(report.dead + report.right, 8);
    cr_expect_eq(report.damaged + report.bad_files, 0);
    cr_expect_eq(report.strays, 1);
    cr_expect_eq(heard.complaints, 0, "misses are no faults");
    kit_fini(&kit);
}

/* The file of another store, or of another segment. */
Test(verify, a_segment_of_somebody_else)
{
    struct kit kit, other;
    struct verify_report report;
    struct heard heard;
    char from[128], to[128];

    fill(&kit);
    fill(&other);
    store_close(&kit.store);
    store_close(&other.store);
    snprintf(from, sizeof(from), "%s/seg-00000001.mdb", other.dir);
    snprintf(to, sizeof(to), "%s/seg-00000001.mdb", kit.dir);
    cr_assert_eq(rename(from, to), 0);
    cr_assert_eq(verify(kit.dir, &report, &heard), 0);
    cr_expect_eq(report.bad_files, 1);
    cr_expect_eq(report.damaged, 4);
    kit_fini(&kit);
    kit_fini(&other);
}

/* ---- by the store itself ---- */

static struct store_tour tour(struct store *store, uint64_t rate)
{
    struct store_tour seen;

    cr_assert_eq(store_tour_begin(store, STORE_VERIFY, rate), 0);
    do {
        sched_yield();
        store_tour(store, STORE_VERIFY, &seen);
    } while (seen.ended == 0);
    return seen;
}

Test(verify, online_a_store_that_is_right)
{
    struct kit kit;

    fill(&kit);
    struct store_tour seen = tour(kit.store, 0);
    cr_expect_eq(seen.err, 0);
    cr_expect_eq(seen.live, 4);
    cr_expect_eq(seen.dead + seen.damaged + seen.unreadable, 0);
    cr_expect_geq(seen.bytes, 101010 + LARGE);
    seen = tour(kit.store, UINT64_C(1) << 30);
    cr_expect_eq(seen.live, 4, "again, with a rate");
    kit_fini(&kit);
}

Test(verify, online_what_is_damaged_is_dropped)
{
    static const char *const keys[] = {"small", "middle", "large", "tiny"};
    static const size_t lens[] = {1000, 100000, LARGE, 10};
    struct kit kit;
    struct store_object object;
    struct store_stats stats;

    fill(&kit);
    store_close(&kit.store);
    for (size_t i = 0; i < 3; i++) {
        char *body = kit_body(span_str(keys[i]), lens[i]);
        flip(&kit, "seg-00000001.mdb", span_of(body + 500, 64), 0);
        free(body);
    }
    flip(&kit, "index.mdb", SPAN("tiny"), 0);
    kit_reopen(&kit);
    struct store_tour seen = tour(kit.store, 0);
    cr_expect_eq(seen.err, 0);
    cr_expect_eq(seen.damaged, 4);
    cr_expect_eq(seen.live, 0);
    store_flush(kit.store);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(kit_find(kit.store, keys[i], &object), ERR_NOT_FOUND, "%s", keys[i]);
    }
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.objects, 0);
    cr_expect_eq(stats.corrupt, 4);
    kit_fini(&kit);
}

/* One at a time; closing does not wait for one that would take a day. */
Test(verify, online_one_at_a_time_and_it_ends_with_the_store)
{
    struct kit kit;
    struct store_tour seen;

    fill(&kit);
    cr_assert_eq(store_tour_begin(kit.store, STORE_VERIFY, 16), 0);
    cr_expect_eq(store_tour_begin(kit.store, STORE_VERIFY, 16), ERR_BUSY);
    cr_expect_eq(store_tour_begin(kit.store, STORE_COUNT, 0), ERR_BUSY);
    store_tour(kit.store, STORE_VERIFY, &seen);
    cr_expect(seen.began && !seen.ended);
    cr_expect_eq(kit_put(kit.store, "more", 1000), 0);
    cr_expect_eq(kit_check(kit.store, "more", 1000), 0);
    kit_fini(&kit);
}
