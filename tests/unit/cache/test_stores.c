#include "base/err.h"
#include "cache/store/store_parts.h"
#include "cache/store/stores_parts.h"
#include "store_kit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRS = 3, KEYS = 300 };

/* Some directories, and a set of those among them that are wanted. */
struct rack {
    char base[64];
    char paths[DIRS][96];
    struct stores *stores;
    enum s3_favor favor;
};

static void rack_init(struct rack *rack)
{
    *rack = (struct rack){0};
    strcpy(rack->base, "/tmp/larder-stores-XXXXXX");
    cr_assert_not_null(mkdtemp(rack->base));
    for (size_t i = 0; i < DIRS; i++) {
        snprintf(rack->paths[i], sizeof(rack->paths[i]), "%s/%c", rack->base, (char)('a' + i));
    }
}

/* `wanted` are letters of directories. */
static int rack_try(struct rack *rack, const char *wanted)
{
    struct store_dir dirs[DIRS];
    struct stores_options options = {.dirs = dirs, .dirty_limit = 64u << 20, .favor = rack->favor};

    for (; *wanted; wanted++) {
        dirs[options.count++] = (struct store_dir){rack->paths[*wanted - 'a'], KIT_SIZE};
    }
    return stores_open(&options, &rack->stores);
}

static void rack_open(struct rack *rack, const char *wanted)
{
    stores_close(&rack->stores);
    cr_assert_eq(rack_try(rack, wanted), 0);
}

static void rack_fini(struct rack *rack)
{
    char command[192];

    stores_close(&rack->stores);
    snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", rack->base, rack->base);
    cr_assert_eq(system(command), 0);
}

static struct span key_of(int number, char text[32])
{
    return span_of(text, (size_t)snprintf(text, 32, "http://a/%d", number));
}

static struct shelf shelf_of(struct rack *rack, int number, uint8_t hash[STORE_HASH])
{
    char text[32];

    sip_hash128(stores_secret(rack->stores), key_of(number, text), hash);
    return stores_shelf(rack->stores, hash);
}

/* The version is all there is in them. */
static void put_all(struct rack *rack, uint8_t version)
{
    for (int i = 0; i < KEYS; i++) {
        uint8_t hash[STORE_HASH];
        char text[32];
        struct store_put *under_way;
        struct shelf shelf = shelf_of(rack, i, hash);
        cr_assert_eq(shelf_put_begin(shelf, hash, key_of(i, text), &under_way), 0);
        store_put_finish(under_way, SPAN("head"), &version, 1, 0, NULL, 0, NULL, NULL);
    }
    stores_flush(rack->stores);
}

/* 0: not found. */
static int version_of(struct rack *rack, int number)
{
    uint8_t hash[STORE_HASH];
    char text[32];
    struct store_object object;
    struct shelf shelf = shelf_of(rack, number, hash);

    if (shelf_find(shelf, hash, key_of(number, text), &object) != 0) {
        return 0;
    }
    int version = object.meta[0];
    store_object_done(shelf.store, &object);
    return version;
}

static int count(struct rack *rack, int version)
{
    int found = 0;

    for (int i = 0; i < KEYS; i++) {
        found += version_of(rack, i) == version;
    }
    return found;
}

static void drop_all(struct rack *rack)
{
    for (int i = 0; i < KEYS; i++) {
        uint8_t hash[STORE_HASH];
        shelf_drop(shelf_of(rack, i, hash), hash, NULL, NULL);
    }
    stores_flush(rack->stores);
}

Test(stores, each_directory_keeps_what_is_favored)
{
    struct rack rack;

    rack_init(&rack);
    rack.favor = S3_BYTES;
    rack_open(&rack, "ab");
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(rack.stores->members[i].store->disk.policy.favor, S3_BYTES);
    }
    rack_fini(&rack);
}

Test(stores, each_takes_its_part_and_a_restart_finds_all)
{
    struct rack rack;
    struct store_member one;
    struct store_stats sum;

    rack_init(&rack);
    rack_open(&rack, "abc");
    put_all(&rack, 1);
    cr_expect_eq(count(&rack, 1), KEYS);
    for (size_t i = 0; i < DIRS; i++) {
        stores_member(rack.stores, i, &one);
        cr_expect_geq(one.stats.objects, KEYS / DIRS / 2);
        cr_expect_str_eq(one.path, rack.paths[i]);
        cr_expect_null(one.cause);
    }
    stores_stats(rack.stores, &sum);
    cr_expect_eq(sum.objects, KEYS);
    cr_expect_eq(sum.size, DIRS * KIT_SIZE);
    rack_open(&rack, "abc");
    cr_expect_eq(count(&rack, 1), KEYS);
    rack_open(&rack, "cab");
    cr_expect_eq(count(&rack, 1), KEYS, "their order means nothing");
    rack_fini(&rack);
}

Test(stores, one_that_was_alone_stays_as_it_was)
{
    struct rack rack;
    char path[128];

    rack_init(&rack);
    rack_open(&rack, "a");
    put_all(&rack, 1);
    rack_open(&rack, "a");
    cr_expect_eq(count(&rack, 1), KEYS);
    snprintf(path, sizeof(path), "%s/placement", rack.paths[0]);
    cr_expect_neq(access(path, F_OK), 0, "nothing is written for one");
    rack_open(&rack, "ba"); /* the new one is named first, and takes over the secret all the same */
    int kept = count(&rack, 1);
    cr_expect(kept > KEYS / 4 && kept < KEYS * 3 / 4, "%d", kept);
    put_all(&rack, 2);
    rack_open(&rack, "ba");
    cr_expect_eq(count(&rack, 2), KEYS);
    rack_fini(&rack);
}

/* Whatever happened while it was away: invalidations, newer versions. */
Test(stores, who_comes_back_has_nothing_of_what_was_before)
{
    struct rack rack;

    rack_init(&rack);
    rack_open(&rack, "abc");
    put_all(&rack, 1);
    rack_open(&rack, "ac");
    int kept = count(&rack, 1);
    cr_expect(kept > KEYS / 2 && kept < KEYS, "only b's are gone: %d", kept);
    drop_all(&rack);
    cr_expect_eq(count(&rack, 1), 0);
    rack_open(&rack, "abc");
    cr_expect_eq(count(&rack, 1), 0);
    rack_fini(&rack);
}

/* The leftovers of those who stood in for it are not found either, however often it goes. */
Test(stores, who_stood_in_has_nothing_when_it_stands_in_again)
{
    struct rack rack;

    rack_init(&rack);
    rack_open(&rack, "ab");
    put_all(&rack, 1);
    rack_open(&rack, "a");
    put_all(&rack, 2); /* b's among them */
    rack_open(&rack, "ab");
    cr_expect_lt(count(&rack, 2), KEYS);
    drop_all(&rack); /* all versions, wherever they are */
    rack_open(&rack, "a");
    cr_expect_eq(count(&rack, 1) + count(&rack, 2), 0);
    rack_open(&rack, "ab");
    cr_expect_eq(count(&rack, 1) + count(&rack, 2), 0);
    rack_fini(&rack);
}

Test(stores, those_that_were_used_without_each_other_are_not_trusted)
{
    struct rack rack;

    rack_init(&rack);
    rack_open(&rack, "ab");
    put_all(&rack, 1);
    rack_open(&rack, "a");
    put_all(&rack, 2);
    rack_open(&rack, "b"); /* knows nothing of version 2 */
    put_all(&rack, 3);
    rack_open(&rack, "ab");
    cr_expect_eq(count(&rack, 0), KEYS);
    put_all(&rack, 4);
    rack_open(&rack, "ab");
    cr_expect_eq(count(&rack, 4), KEYS);
    rack_fini(&rack);
}

Test(stores, another_secret_begins_anew)
{
    struct rack rack;

    rack_init(&rack);
    rack_open(&rack, "b");
    put_all(&rack, 1);
    rack_open(&rack, "a");
    put_all(&rack, 2);
    rack_open(&rack, "ab");
    cr_expect_eq(count(&rack, 1), 0);
    int kept = count(&rack, 2);
    cr_expect(kept > KEYS / 4 && kept < KEYS * 3 / 4, "%d", kept);
    put_all(&rack, 3);
    rack_open(&rack, "ab");
    cr_expect_eq(count(&rack, 3), KEYS);
    rack_fini(&rack);
}

Test(stores, a_damaged_or_missing_placement_is_written_again)
{
    struct rack rack;
    char path[128];

    rack_init(&rack);
    rack_open(&rack, "abc");
    put_all(&rack, 1);
    stores_close(&rack.stores);
    snprintf(path, sizeof(path), "%s/placement", rack.paths[0]);
    cr_assert_eq(truncate(path, 100), 0);
    snprintf(path, sizeof(path), "%s/placement", rack.paths[1]);
    cr_assert_eq(unlink(path), 0);
    rack_open(&rack, "abc");
    cr_expect_eq(count(&rack, 1), KEYS);
    cr_expect_eq(access(path, F_OK), 0);
    rack_fini(&rack);
}

Test(stores, one_that_cannot_be_opened_is_left_out)
{
    struct rack rack;
    struct store_member one;

    rack_init(&rack);
    FILE *file = fopen(rack.paths[1], "w"); /* no directory */
    fclose(file);
    rack_open(&rack, "abc");
    stores_member(rack.stores, 1, &one);
    cr_expect_not_null(one.cause);
    put_all(&rack, 1);
    cr_expect_eq(count(&rack, 1), KEYS);
    stores_close(&rack.stores);
    cr_expect_neq(rack_try(&rack, "b"), 0, "nothing else is there");
    unlink(rack.paths[1]);
    rack_open(&rack, "abc");
    put_all(&rack, 2);
    cr_expect_eq(count(&rack, 2), KEYS);
    rack_fini(&rack);
}

Test(stores, one_that_another_has_stops_the_start)
{
    struct rack rack;
    struct store_options options = {.path = NULL, .size = KIT_SIZE, .dirty_limit = 1 << 20};
    struct store *other;

    rack_init(&rack);
    options.path = rack.paths[2];
    cr_assert_eq(store_open(&options, &other), 0);
    cr_expect_eq(rack_try(&rack, "abc"), ERR_BUSY);
    cr_expect_null(rack.stores);
    store_close(&other);
    cr_expect_eq(rack_try(&rack, "aba"), ERR_BUSY, "twice the same");
    rack_open(&rack, "abc");
    rack_fini(&rack);
}

Test(stores, without_a_store_nothing_is_found_and_nothing_put)
{
    struct shelf none = stores_shelf(NULL, (uint8_t[STORE_HASH]){1});
    uint8_t hash[STORE_HASH] = {1};
    struct store_object object;
    struct store_put *under_way;
    int dropped = 1, updated = 1;

    cr_expect_null(none.store);
    cr_expect_eq(shelf_find(none, hash, SPAN("k"), &object), ERR_NOT_FOUND);
    cr_expect_eq(shelf_put_begin(none, hash, SPAN("k"), &under_way), ERR_IO);
    cr_expect_eq(shelf_put_begin_anyway(none, hash, SPAN("k"), &under_way), ERR_IO);
    shelf_drop(none, hash, kit_on_done, &dropped);
    cr_expect_eq(dropped, 0);
    shelf_update(none, hash, SPAN("k"), SPAN("h"), "m", 1, kit_on_done, &updated);
    cr_expect_eq(updated, ERR_NOT_FOUND);
    cr_expect_not(shelf_is_behind(none));
}

/* ---- disks that fail ---- */

static void truncate_all(const char *dir, const char *pattern)
{
    char path[192];
    glob_t found;

    snprintf(path, sizeof(path), "%s/%s", dir, pattern);
    cr_assert_eq(glob(path, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        cr_assert_eq(truncate(found.gl_pathv[i], 0), 0);
    }
    globfree(&found);
}

static bool is_out(struct rack *rack, size_t number)
{
    struct store_member one;

    stores_member(rack->stores, number, &one);
    return one.cause != NULL;
}

/* What fails is looked at by the writers' threads: each of their turns is behind a flush. */
static void settle(struct rack *rack)
{
    stores_flush(rack->stores);
    stores_flush(rack->stores);
}

static int wake_up(struct rack *rack, int number)
{
    int version = version_of(rack, number);

    settle(rack);
    return version;
}

static int wake_up_all(struct rack *rack, int version)
{
    int found = 0;

    for (int i = 0; i < KEYS; i++) {
        found += wake_up(rack, i) == version;
    }
    return found;
}

static void expect_b_taken_out(struct rack *rack)
{
    cr_assert(is_out(rack, 1));
    cr_expect_not(is_out(rack, 0));
    cr_expect_not(is_out(rack, 2));
    cr_expect_eq(stores_health(rack->stores), 0);
    put_all(rack, 2);
    cr_expect_eq(count(rack, 2), KEYS, "the others take over");
    drop_all(rack);
    put_all(rack, 3);
    rack_open(rack, "abc");
    cr_expect_not(is_out(rack, 1));
    int kept = count(rack, 3);
    cr_expect(kept > KEYS / 2 && kept < KEYS, "%d", kept);
    cr_expect_eq(count(rack, 1) + count(rack, 2), 0, "what is old stays away");
    put_all(rack, 4);
    cr_expect_eq(count(rack, 4), KEYS);
}

Test(stores, segments_that_cannot_be_read_take_a_disk_out)
{
    struct rack rack;

    rack_init(&rack);
    rack_open(&rack, "abc");
    put_all(&rack, 1);
    truncate_all(rack.paths[1], "seg-*.mdb");
    int kept = wake_up_all(&rack, 1);
    cr_expect(kept > KEYS / 2 && kept < KEYS, "%d", kept);
    expect_b_taken_out(&rack);
    rack_fini(&rack);
}

Test(stores, an_index_that_cannot_be_read_takes_a_disk_out)
{
    struct rack rack;

    rack_init(&rack);
    rack_open(&rack, "abc");
    put_all(&rack, 1);
    truncate_all(rack.paths[1], "index.mdb");
    int kept = wake_up_all(&rack, 1);
    cr_expect(kept > KEYS / 2 && kept < KEYS, "%d", kept);
    expect_b_taken_out(&rack);
    rack_fini(&rack);
}

/* The writer meets it: all that is under way is told, and nothing hangs. */
Test(stores, an_index_that_goes_under_the_writer_takes_a_disk_out)
{
    struct rack rack;
    uint8_t hash[STORE_HASH];
    char text[32];
    struct store_put *under_way;
    int i = 0, result = 1, dropped = 1;

    rack_init(&rack);
    rack_open(&rack, "abc");
    put_all(&rack, 1);
    while (shelf_of(&rack, i, hash).store != rack.stores->members[1].store) {
        i++;
    }
    struct shelf shelf = shelf_of(&rack, i, hash);
    truncate_all(rack.paths[1], "index.mdb");
    cr_assert_eq(shelf_put_begin(shelf, hash, key_of(i, text), &under_way), 0);
    store_put_finish(under_way, SPAN("head"), "m", 1, 0, NULL, 0, kit_on_done, &result);
    shelf_drop(shelf, hash, kit_on_done, &dropped);
    store_flush(shelf.store);
    cr_expect_eq(result, ERR_IO);
    cr_expect_eq(dropped, ERR_IO);
    cr_expect(is_out(&rack, 1));
    cr_expect_eq(version_of(&rack, i), 0);
    cr_expect_neq(store_put_begin(shelf.store, hash, key_of(i, text), &under_way), 0);
    put_all(&rack, 2);
    cr_expect_eq(count(&rack, 2), KEYS);
    rack_open(&rack, "abc");
    cr_expect_eq(count(&rack, 1), 0);
    rack_fini(&rack);
}

Test(stores, the_last_one_is_given_up_only_when_it_must_be)
{
    struct rack rack;
    uint8_t hash[STORE_HASH];

    rack_init(&rack);
    rack_open(&rack, "a");
    put_all(&rack, 1);
    truncate_all(rack.paths[0], "seg-*.mdb");
    wake_up_all(&rack, 1);
    cr_expect_not(is_out(&rack, 0), "what cannot be read is forgotten");
    cr_expect_eq(count(&rack, 0), KEYS);

    truncate_all(rack.paths[0], "index.mdb");
    shelf_drop(shelf_of(&rack, 0, hash), hash, NULL, NULL);
    settle(&rack);
    cr_expect(is_out(&rack, 0));
    cr_expect_null(shelf_of(&rack, 0, hash).store, "memory only");
    cr_expect_neq(stores_health(rack.stores), 0);
    rack_open(&rack, "a");
    cr_expect_eq(count(&rack, 0), KEYS);
    put_all(&rack, 3);
    rack_open(&rack, "a");
    cr_expect_eq(count(&rack, 3), KEYS);
    rack_fini(&rack);
}

static void tell(struct rack *rack, size_t number, unsigned commits, unsigned reads)
{
    struct store_trouble trouble = {.commits = commits, .reads = reads, .err = -EIO};

    stores_on_trouble(&rack->stores->members[number], &trouble);
}

Test(stores, a_disk_that_takes_nothing_is_taken_out_but_not_the_last)
{
    struct rack rack;
    struct store_object held;
    uint8_t hash[STORE_HASH];
    char text[32];
    int i = 0;

    rack_init(&rack);
    rack_open(&rack, "abc");
    put_all(&rack, 1);
    tell(&rack, 1, 4, 15);
    cr_expect_not(is_out(&rack, 1));
    while (shelf_of(&rack, i, hash).store != rack.stores->members[1].store) {
        i++;
    }
    struct shelf shelf = shelf_of(&rack, i, hash);
    cr_assert_eq(shelf_find(shelf, hash, key_of(i, text), &held), 0);
    tell(&rack, 1, 5, 0);
    cr_expect(is_out(&rack, 1));
    cr_expect_eq(version_of(&rack, i), 0);
    cr_expect_eq(held.meta[0], 1, "who has it reads on");
    cr_expect(span_eq(held.head, SPAN("head")));
    store_object_done(shelf.store, &held);
    tell(&rack, 0, 0, 16);
    cr_expect(is_out(&rack, 0));
    tell(&rack, 2, 100, 100);
    cr_expect_not(is_out(&rack, 2));
    put_all(&rack, 2);
    cr_expect_eq(count(&rack, 2), KEYS);
    rack_open(&rack, "abc");
    cr_expect_eq(count(&rack, 1), 0);
    rack_fini(&rack);
}
