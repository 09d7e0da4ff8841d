#include "store_kit.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/store/writer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t sizes[] = {
    0,
    1,
    100,
    1000,
    1900,
    1950,
    2000,
    2020,
    2048,
    2100,
    4080,
    4096,
    16384,
    65536,
    262128,
    1000000,
    STORE_INLINE_MAX - 100,
    1 << 20,
    (1u << 20) + 1,
    STORE_CHUNK * 5,
    5u << 20,
};

static void key_of(char key[64], size_t i)
{
    snprintf(key, 64, "http://example.net:80/object/%zu", i);
}

static void check_all(struct store *store)
{
    char key[64];

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        key_of(key, i);
        cr_expect_eq(kit_check(store, key, sizes[i]), 0, "%zu bytes", sizes[i]);
    }
}

Test(store, what_was_put_is_found_also_after_reopening)
{
    struct kit kit;
    char key[64];

    kit_init(&kit, 4 * KIT_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        key_of(key, i);
        cr_expect_eq(kit_put(kit.store, key, sizes[i]), 0, "%zu bytes", sizes[i]);
    }
    check_all(kit.store);
    kit_reopen(&kit);
    check_all(kit.store);
    cr_expect_eq(kit_put(kit.store, "after", 5000), 0);
    check_all(kit.store);
    kit_fini(&kit);
}

/* Every size around the border between values inside a page and values of their own. */
Test(store, sizes_around_the_overflow_boundary)
{
    struct kit kit;
    char key[64];

    kit_init(&kit, KIT_SIZE);
    for (size_t len = 1800; len < 2100; len++) {
        key_of(key, len);
        cr_assert(kit_post(kit.store, key, len));
    }
    store_flush(kit.store);
    for (size_t len = 1800; len < 2100; len++) {
        key_of(key, len);
        cr_expect_eq(kit_check(kit.store, key, len), 0, "%zu bytes", len);
    }
    kit_fini(&kit);
}

Test(store, every_piece_is_released_once_and_every_chunk_answered)
{
    struct kit kit;
    unsigned before = kit_released();
    unsigned answered = kit_chunks_done();

    kit_init(&kit, KIT_SIZE);
    cr_expect_eq(kit_put(kit.store, "a", 10), 0);
    cr_expect_eq(kit_released() - before, 2);
    cr_expect_eq(kit_put(kit.store, "b", 2 * STORE_CHUNK + 5 * STORE_CHUNK), 0);
    cr_expect_eq(kit_released() - before, 2 + 14);
    cr_expect_eq(kit_chunks_done() - answered, 7);
    kit_fini(&kit);
}

Test(store, another_key_under_the_same_hash_is_not_found)
{
    struct kit kit;
    struct store_object object;
    uint8_t hash[STORE_HASH];

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "one", 3000), 0);
    kit_hash(kit.store, SPAN("one"), hash);
    cr_expect_eq(store_find(kit.store, hash, SPAN("two"), &object), ERR_NOT_FOUND);
    cr_expect_eq(store_find(kit.store, hash, SPAN("on"), &object), ERR_NOT_FOUND);
    cr_expect_eq(store_find(kit.store, hash, SPAN("one"), &object), 0);
    store_object_done(kit.store, &object);
    kit_fini(&kit);
}

Test(store, a_second_put_replaces_the_first)
{
    struct kit kit;
    struct store_object object;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 3000), 0);
    cr_assert_eq(kit_find(kit.store, "k", &object), 0);
    cr_assert_eq(kit_put(kit.store, "k", 5000), 0);
    cr_expect_eq(kit_compare(kit.store, "k", 3000, &object), 0, "who holds the old one keeps it");
    cr_expect_eq(kit_check(kit.store, "k", 5000), 0);
    store_object_done(kit.store, &object);
    kit_fini(&kit);
}

Test(store, an_aborted_put_leaves_nothing)
{
    struct kit kit;
    struct store_object object;
    struct store_put *put;
    uint8_t hash[STORE_HASH];
    char *body = xcalloc(1, STORE_CHUNK);
    struct store_piece piece = {.bytes = span_of(body, STORE_CHUNK), .release = free, .arg = body};

    kit_init(&kit, KIT_SIZE);
    kit_hash(kit.store, SPAN("k"), hash);
    cr_assert_eq(store_put_begin(kit.store, hash, SPAN("k"), &put), 0);
    store_put_chunk(put, &piece, 1, NULL, NULL);
    store_put_abort(put);
    store_flush(kit.store);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    kit_fini(&kit);
}

Test(store, a_body_of_another_length_than_announced_is_refused)
{
    struct kit kit;
    struct store_object object;
    struct store_put *put;
    uint8_t hash[STORE_HASH];
    struct store_piece piece = {.bytes = SPAN("12345")};
    int result = 1;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 100), 0);
    kit_hash(kit.store, SPAN("k"), hash);
    cr_assert_eq(store_put_begin(kit.store, hash, SPAN("k"), &put), 0);
    store_put_finish(put, SPAN("head"), NULL, 0, 6, &piece, 1, kit_on_done, &result);
    store_flush(kit.store);
    cr_expect_eq(result, ERR_TRUNCATED);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND, "nor what was there before");
    kit_fini(&kit);
}

Test(store, more_than_one_record_holds_is_refused)
{
    struct kit kit;
    struct store_put *put;
    uint8_t hash[STORE_HASH];
    size_t len = STORE_INLINE_MAX + 1;
    char *body = xcalloc(1, len);
    struct store_piece piece = {.bytes = span_of(body, len), .release = free, .arg = body};
    int result = 1;

    kit_init(&kit, KIT_SIZE);
    kit_hash(kit.store, SPAN("k"), hash);
    cr_assert_eq(store_put_begin(kit.store, hash, SPAN("k"), &put), 0);
    store_put_finish(put, SPAN("head"), NULL, 0, len, &piece, 1, kit_on_done, &result);
    store_flush(kit.store);
    cr_expect_eq(result, ERR_TOO_LARGE);
    kit_fini(&kit);
}

Test(store, what_writes_nothing_is_no_commit)
{
    struct kit kit;
    struct store_put *put;
    struct store_stats before, after;
    uint8_t hash[STORE_HASH];

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 100), 0);
    store_stats(kit.store, &before);
    kit_hash(kit.store, SPAN("k"), hash);
    cr_assert_eq(store_put_begin(kit.store, hash, SPAN("k"), &put), 0);
    store_put_abort(put);
    store_flush(kit.store);
    store_stats(kit.store, &after);
    cr_expect_gt(before.commits, 0);
    cr_expect_eq(after.commits, before.commits);
    cr_expect_eq(after.dirty, 0, "who is answered finds its bytes gone from the gauge");
    kit_fini(&kit);
}

/* However many small objects wait: a page of the index is changed for each, and its memory kept. */
Test(store, a_commit_holds_a_thousand_records_at_most)
{
    enum { OBJECTS = 16000 };
    struct kit kit;
    struct store_stats stats;
    char key[16];

    kit_init(&kit, UINT64_C(512) << 20);
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        cr_assert(kit_post(kit.store, key, 1));
    }
    store_flush(kit.store);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.written_objects, OBJECTS);
    cr_expect_geq(stats.commits, OBJECTS / WRITER_BATCH_OPS, "%d commits", (int)stats.commits);
    kit_fini(&kit);
}

Test(store, above_the_dirty_limit_it_is_busy)
{
    struct kit kit;
    struct store_put *put;
    uint8_t hash[STORE_HASH];

    kit_init(&kit, KIT_SIZE);
    store_close(&kit.store);
    struct store_options options = {.path = kit.dir, .size = KIT_SIZE, .dirty_limit = 0};
    cr_assert_eq(store_open(&options, &kit.store), 0);
    kit_hash(kit.store, SPAN("k"), hash);
    cr_assert(kit_post(kit.store, "k", 100));
    cr_expect_eq(store_put_begin(kit.store, hash, SPAN("k"), &put), ERR_BUSY);
    store_flush(kit.store);
    kit_fini(&kit);
}

static void update(struct kit *kit, const char *key, struct span head, struct span meta,
                   int *result)
{
    uint8_t hash[STORE_HASH];

    kit_hash(kit->store, span_str(key), hash);
    store_update(kit->store, hash, span_str(key), head, meta.at, meta.len, kit_on_done, result);
    store_flush(kit->store);
}

static void expect_updated(struct kit *kit, const char *key, size_t len, struct span head)
{
    struct store_object object;
    struct span fields = head;
    char *body = kit_body(span_str(key), len);

    cr_assert_eq(kit_find(kit->store, key, &object), 0);
    cr_expect(span_eq(object.head, fields), "the new head of %s", key);
    cr_expect(span_eq(span_of(object.meta, object.meta_len), SPAN("new meta")));
    cr_expect_eq(object.body_len, len);
    if (!object.chunk_count) {
        cr_expect(span_eq(object.body, span_of(body, len)), "the old body of %s", key);
    }
    store_object_done(kit->store, &object);
    free(body);
}

Test(store, an_update_brings_a_new_head_and_keeps_the_body)
{
    static const size_t lens[] = {0, 100, 5000, 5u << 20};
    static char large[4000];
    struct kit kit;
    int result;

    memset(large, 'h', sizeof(large));
    kit_init(&kit, 4 * KIT_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        char key[64];
        key_of(key, i);
        cr_assert_eq(kit_put(kit.store, key, lens[i]), 0);
        update(&kit, key, SPAN("once"), SPAN("meta"), &result);
        cr_expect_eq(result, 0);
        update(&kit, key, SPAN("the new head"), SPAN("new meta"), &result);
        cr_expect_eq(result, 0);
        expect_updated(&kit, key, lens[i], SPAN("the new head"));
        kit_reopen(&kit);
        expect_updated(&kit, key, lens[i], SPAN("the new head"));
        update(&kit, key, span_of(large, sizeof(large)), SPAN("new meta"), &result);
        expect_updated(&kit, key, lens[i], span_of(large, sizeof(large)));
    }
    kit_fini(&kit);
}

Test(store, an_update_that_cannot_be_written_leaves_no_older_head)
{
    static const char head[STORE_INLINE_MAX + 1];
    struct kit kit;
    struct store_object object;
    int result = 0;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 3000), 0);
    update(&kit, "k", span_of(head, sizeof(head)), SPAN("meta"), &result);
    cr_expect_eq(result, ERR_TOO_LARGE);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    kit_fini(&kit);
}

Test(store, an_update_of_what_is_not_there_fails)
{
    struct kit kit;
    struct store_object object;
    uint8_t hash[STORE_HASH];
    int result = 1;

    kit_init(&kit, KIT_SIZE);
    update(&kit, "absent", SPAN("head"), SPAN("meta"), &result);
    cr_expect_eq(result, ERR_NOT_FOUND);
    cr_expect_eq(kit_find(kit.store, "absent", &object), ERR_NOT_FOUND);

    cr_assert_eq(kit_put(kit.store, "one", 3000), 0);
    kit_hash(kit.store, SPAN("one"), hash);
    store_update(kit.store, hash, SPAN("two"), SPAN("head"), NULL, 0, kit_on_done, &result);
    store_flush(kit.store);
    cr_expect_eq(result, ERR_NOT_FOUND, "another key under the same hash");
    cr_expect_eq(kit_check(kit.store, "one", 3000), 0);
    kit_fini(&kit);
}

Test(store, a_drop_hides_at_once_and_is_durable)
{
    struct kit kit;
    struct store_object object;
    uint8_t hash[STORE_HASH];
    int result = 1;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "k", 3000), 0);
    kit_hash(kit.store, SPAN("k"), hash);
    store_drop(kit.store, hash, kit_on_done, &result);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    store_flush(kit.store);
    cr_expect_eq(result, 0);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    kit_reopen(&kit);
    cr_expect_eq(kit_find(kit.store, "k", &object), ERR_NOT_FOUND);
    cr_assert_eq(kit_put(kit.store, "k", 3000), 0);
    cr_expect_eq(kit_check(kit.store, "k", 3000), 0);
    kit_fini(&kit);
}

static void drop(struct kit *kit, const char *key)
{
    uint8_t hash[STORE_HASH];

    kit_hash(kit->store, span_str(key), hash);
    store_drop(kit->store, hash, NULL, NULL);
}

static uint64_t dirty(struct kit *kit)
{
    struct store_stats stats;

    store_stats(kit->store, &stats);
    return stats.dirty;
}

Test(store, a_drop_of_nothing_that_nobody_waits_for_is_nothing)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "old", 100), 0);
    cr_assert(kit_post(kit.store, "queued", 100));
    uint64_t before = dirty(&kit);
    drop(&kit, "nothing");
    cr_expect_leq(dirty(&kit), before, "it does not make the writer hurry");
    store_flush(kit.store);
    cr_expect_eq(kit_check(kit.store, "queued", 100), 0);
    kit_fini(&kit);
}

/* Posted, being written, just written: a drop that comes after it takes it away whenever that is.
 */
Test(store, what_is_on_its_way_is_dropped)
{
    struct kit kit;
    struct store_object object;

    kit_init(&kit, KIT_SIZE);
    for (unsigned i = 0; i < 400; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%u", i);
        cr_assert(kit_post(kit.store, key, 100));
        store_hurry(kit.store);
        for (volatile unsigned wait = 0; wait < i * 1000; wait++) {
        }
        drop(&kit, key);
        cr_expect_eq(kit_find(kit.store, key, &object), ERR_NOT_FOUND, "%u at once", i);
    }
    store_flush(kit.store);
    for (unsigned i = 0; i < 400; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%u", i);
        cr_expect_eq(kit_find(kit.store, key, &object), ERR_NOT_FOUND, "%u", i);
    }
    kit_fini(&kit);
}

Test(store, one_directory_is_one_store)
{
    struct kit kit;
    struct store *second;

    kit_init(&kit, KIT_SIZE);
    struct store_options options = {.path = kit.dir, .size = KIT_SIZE, .dirty_limit = 1u << 20};
    cr_expect_eq(store_open(&options, &second), ERR_BUSY);
    cr_expect_null(second);

    pid_t child = fork();
    if (child == 0) {
        _exit(store_open(&options, &second) == ERR_BUSY ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "in another process");
    cr_expect_eq(kit_put(kit.store, "k", 100), 0, "the first goes on");
    kit_fini(&kit);
}

Test(store, options_that_cannot_work_are_refused)
{
    struct store *store;

    cr_expect_eq(
        store_open(&(struct store_options){.path = "/tmp/larder-none", .size = 1000}, &store),
        -EINVAL);
    cr_expect_eq(
        store_open(&(struct store_options){.path = "/proc/nowhere/x", .size = KIT_SIZE}, &store),
        -ENOENT);
    cr_expect_null(store);
}
