#include "base/err.h"
#include "cache/store/directory.h"
#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static void on_purged(void *arg, int err)
{
    atomic_store((atomic_int *)arg, err ? 2 : 1);
}

/* Whether it is durable. */
static bool try_purge(struct cache_kit *kit, const char *url, struct purge_found *found)
{
    atomic_int done = 0;
    struct uri uri;

    cr_assert_eq(uri_parse(span_str(url), &kit->arena, &uri), 0);
    cr_assert_eq(cache_purge(kit->cache, &uri, SPAN("t"), &kit->arena, found, on_purged, &done), 0);
    while (atomic_load(&done) == 0) {
        sched_yield();
    }
    return atomic_load(&done) == 1;
}

static struct purge_found purge(struct cache_kit *kit, const char *url)
{
    struct purge_found found;

    cr_expect(try_purge(kit, url, &found), "it is durable");
    return found;
}

Test(cache_purge, a_purge_says_what_there_was_and_all_of_it_is_gone)
{
    struct cache_kit kit;
    struct cache_stats stats;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 1000);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        fetch(&kit, "http://a/v", br, varies, 20);
        fetch(&kit, "http://a/other", NULL, fresh, 5);
        struct purge_found found = purge(&kit, "http://a/x");
        cr_expect(found.responses == 1 && found.bytes == 1000 && !found.varies && !found.fetches);
        found = purge(&kit, "http://a/v");
        cr_expect(found.responses == 2 && found.bytes == 30 && found.varies && !found.fetches);
        found = purge(&kit, "http://a/v");
        cr_expect(found.responses == 0 && !found.varies, "the second time there is nothing");
        cache_stats(kit.cache, &stats);
        cr_expect_eq(stats.purges, 3);
        if (with_store) {
            cache_kit_reopen(&kit);
        }
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://a/other", NULL), CACHE_FRESH);
        cache_kit_close(&kit);
    }
}

Test(cache_purge, purged_variants_leave_no_records)
{
    struct cache_kit kit;
    struct cache_stats stats;

    cache_kit_open(&kit, true);
    for (int n = 1; n <= 3; n++) {
        fetch_numbered(&kit, "http://a/v", n);
    }
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.objects, 4);
    cache_kit_reopen(&kit);
    cr_expect_eq(purge(&kit, "http://a/v").responses, 3, "those with an ETag are known");
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.objects, 0);
    cache_kit_close(&kit);
}

/* Its table and its piece are there. */
static void await_parts_saved(struct cache_kit *kit)
{
    struct cache_stats stats = {0};

    while (stats.store.objects < 2 || atomic_load(&kit->cache->saving) > 0) {
        stores_flush(cache_stores(kit->cache));
        cache_stats(kit->cache, &stats);
    }
}

Test(cache_purge, a_purge_takes_what_is_known_in_parts)
{
    struct cache_kit kit;
    struct cache_stats stats;

    cache_kit_open(&kit, true);
    fetch_part(&kit, "http://a/x", 1000, 3000000);
    await_parts_saved(&kit);
    struct purge_found found = purge(&kit, "http://a/x");
    cr_expect(found.responses == 1 && found.bytes == 1000);
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.objects, 0, "nor is a piece left");
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cache_kit_close(&kit);
}

Test(cache_purge, what_is_under_way_is_counted_and_not_kept)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    struct purge_found found = purge(&kit, "http://a/x");
    cr_expect(found.responses == 0 && found.fetches == 1);
    struct asked later;
    ask(&kit, "http://a/x", NULL, &later);
    cr_expect_eq(later.result, CACHE_LEAD, "who comes later does not wait for it");
    finish(&kit, &try, object, 5);
    finish(&kit, &later, answer(&kit, &later, fresh, 7), 7);
    ask(&kit, "http://a/x", NULL, &later);
    cr_expect_eq(later.result, CACHE_FRESH);
    cr_expect_eq(later.lookup.object->body_len, 7);
    lookup_fini(&later.lookup);
    cache_kit_close(&kit);
}

/* All of the host "a", and of no other. */
static void purge_host(struct cache_kit *kit)
{
    cr_assert_eq(cache_purge_scope(kit->cache, SPAN("a ")), 0);
}

Test(cache_purge, a_purged_scope_stays_so)
{
    struct cache_kit kit;
    struct asked try;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 1000);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        fetch(&kit, "http://b/x", NULL, fresh, 5);
        ask(&kit, "http://a/late", NULL, &try);
        purge_host(&kit);
        finish(&kit, &try, answer(&kit, &try, fresh, 5), 5);
        fetch(&kit, "http://a/new", NULL, fresh, 9);
        for (int round = 0; round <= with_store; round++) {
            cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
            cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_LEAD);
            cr_expect_eq(result_of(&kit, "http://a/late", NULL), CACHE_LEAD, "it was under way");
            cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH);
            cr_expect_eq(result_of(&kit, "http://a/new", NULL), CACHE_FRESH, "what came later");
            if (with_store) {
                cache_kit_reopen(&kit);
            }
        }
        cache_kit_close(&kit);
    }
}

static void write_purged(const struct cache_kit *kit, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/purged", kit->path);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(cache_purge, a_damaged_list_of_purges_brings_nothing_back)
{
    struct cache_kit kit;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    purge_host(&kit);
    cache_close(&kit.cache);
    write_purged(&kit, "something else");
    kit.cache = cache_kit_beside(&kit, NULL);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_LEAD, "nobody knows what it said");
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    cache_kit_reopen(&kit);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

/* The kit's folder, and a new one beside it. */
struct two {
    char path[40];
    struct store_dir dirs[2];
};

static void open_two(struct cache_kit *kit, struct two *two)
{
    snprintf(two->path, sizeof(two->path), "%s/two", kit->path);
    two->dirs[0] = (struct store_dir){kit->path, 64 << 20};
    two->dirs[1] = (struct store_dir){two->path, 64 << 20};
    struct cache_options options = {.dirs = two->dirs, .dir_count = 2, .memory = 32 << 20};
    cr_assert_eq(cache_open(&options, &kit->cache), 0);
}

Test(cache_purge, a_new_folder_does_not_make_up_for_a_damaged_list_of_purges)
{
    static const char *const urls[] = {"http://a/1", "http://a/2", "http://a/3", "http://a/4",
                                       "http://a/5", "http://a/6", "http://a/7", "http://a/8"};
    struct cache_kit kit;
    struct two two;

    cache_kit_open(&kit, true);
    for (size_t i = 0; i < 8; i++) { /* one share or other stays where it was */
        fetch(&kit, urls[i], NULL, fresh, 1000);
    }
    purge_host(&kit);
    cache_close(&kit.cache);
    write_purged(&kit, "something else");
    open_two(&kit, &two);
    for (size_t i = 0; i < 8; i++) {
        cr_expect_eq(result_of(&kit, urls[i], NULL), CACHE_LEAD, "%s", urls[i]);
    }
    cache_kit_close(&kit);
}

Test(cache_purge, folders_that_were_purged_without_each_other_start_empty)
{
    struct cache_kit kit;
    struct two two;
    struct scopes *another = scopes_new();
    struct buf bytes = BUF_INIT;

    cache_kit_open(&kit, true);
    cache_close(&kit.cache);
    open_two(&kit, &two);
    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    purge_host(&kit);
    cache_close(&kit.cache);
    cr_assert_eq(scopes_purge(another, SPAN("b ")), 0);
    scopes_encode(another, &bytes);
    cr_assert_eq(directory_write(two.path, "purged", buf_span(&bytes)), 0);
    open_two(&kit, &two);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_LEAD);
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    cache_close(&kit.cache);
    open_two(&kit, &two);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH, "both know it now");
    buf_fini(&bytes);
    scopes_free(&another);
    cache_kit_close(&kit);
}

Test(cache_purge, nothing_is_purged_while_another_process_has_the_store)
{
    struct cache_kit kit;
    struct uri uri;
    struct purge_found found;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh_untagged, 100);
    fetch(&kit, "http://b/x", NULL, fresh_untagged, 100);
    struct cache *older = kit.cache;
    kit.cache = cache_kit_beside(&kit, cache_secret(older));
    cr_assert_eq(uri_parse(SPAN("http://a/x"), &kit.arena, &uri), 0);
    cr_expect_eq(cache_purge(kit.cache, &uri, SPAN("t"), &kit.arena, &found, on_purged, NULL),
                 ERR_BUSY);
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN_EMPTY), ERR_BUSY);
    cr_expect_eq(cache_purge_scope(older, SPAN("a ")), 0, "the other one can, and is believed");
    cache_close(&older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

Test(cache_purge, what_changed_before_a_late_store_is_not_brought_back_by_what_was_purged_there)
{
    struct cache_kit kit;
    struct uri uri;

    cache_kit_open(&kit, true);
    cr_assert_eq(cache_purge_scope(kit.cache, SPAN("b ")), 0);
    fetch(&kit, "http://b/x", NULL, fresh_untagged, 100);
    struct cache *older = kit.cache, *newer = cache_kit_beside(&kit, cache_secret(older));
    purge_host(&kit);
    fetch(&kit, "http://a/x", NULL, fresh_untagged, 100);
    kit.cache = newer;
    cr_assert_eq(uri_parse(SPAN("http://a/x"), &kit.arena, &uri), 0);
    cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
    cache_close(&older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH, "purged before");
    for (int round = 0; round < 2; round++) {
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        cache_kit_reopen(&kit);
    }
    cache_kit_close(&kit);
}

Test(cache_purge, what_a_store_that_failed_to_come_cannot_write_down_is_said)
{
    static const struct sip_key another = {1, 2};
    struct cache_kit kit;
    struct purge_found found;

    cache_kit_open(&kit, true);
    struct cache *older = kit.cache;
    kit.cache = cache_kit_beside(&kit, &another);
    cache_close(&older);
    cr_assert_neq(cache_open_late(kit.cache), 0);
    fetch(&kit, "http://a/x", NULL, fresh_untagged, 100);
    fetch(&kit, "http://a/y", NULL, fresh_untagged, 100);
    cr_expect_not(try_purge(&kit, "http://a/x", &found));
    cr_expect_eq(found.responses, 1);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD, "gone all the same");
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN("a ")), ERR_IO);
    cr_expect_eq(result_of(&kit, "http://a/y", NULL), CACHE_LEAD);
    cache_kit_close(&kit);
}

Test(cache_purge, a_folder_that_could_not_be_opened_does_not_know_what_was_purged)
{
    struct cache_kit kit;
    struct two two;

    cache_kit_open(&kit, true);
    cache_close(&kit.cache);
    snprintf(two.path, sizeof(two.path), "%s/two", kit.path);
    FILE *file = fopen(two.path, "w"); /* no folder */
    cr_assert(file && fclose(file) == 0);
    open_two(&kit, &two);
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN("a ")), ERR_IO);
    purge(&kit, "http://b/x");
    cache_close(&kit.cache);
    cr_assert_eq(unlink(two.path), 0);
    open_two(&kit, &two);
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN("a ")), 0, "it is there again");
    cache_kit_close(&kit);
}

/* Nothing was purged, and no other folder is worse off for it. */
Test(cache_purge, a_folder_that_cannot_be_opened_takes_nothing_from_the_others)
{
    struct cache_kit kit;
    struct two two;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    cache_close(&kit.cache);
    snprintf(two.path, sizeof(two.path), "%s/two", kit.path);
    FILE *file = fopen(two.path, "w"); /* no folder */
    cr_assert(file && fclose(file) == 0);
    open_two(&kit, &two);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}
