#include "base/clock.h"
#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>

Test(cache_update, a_304_that_forbids_storing_forgets_what_it_confirmed)
{
    struct cache_kit kit;
    struct asked try;
    struct object *seen;
    struct failure failure;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 2000);
        kit.now += 100;
        ask(&kit, "http://a/x", NULL, &try);
        cr_assert_eq(try.result, CACHE_LEAD);
        struct flight *flight = try.lookup.member.flight;
        flight_publish_solo(flight, flight_stale(flight));
        cache_discard(kit.cache, flight, 0);
        cr_expect_eq(flight_look(&try.lookup.member, &seen, &failure), FLIGHT_SOLO);
        cr_expect_eq(seen->body_len, 2000, "who asked gets it");
        object_unref(&seen);
        lookup_fini(&try.lookup);
        kit.now -= 100;
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        cache_kit_close(&kit);
    }
}

/* A 304 for `first` comes when `second` has taken its place, `seconds` after it. */
static void replace_before_304(struct cache_kit *kit, const char *const *first,
                               const char *const *second, int seconds)
{
    struct asked try;
    struct flight_member alone;
    struct waker nobody = {cache_kit_wake, kit};

    fetch(kit, "http://a/x", NULL, first, 10);
    kit->now += seconds;
    ask(kit, "http://a/x", NULL, &try);
    cr_assert_eq(try.result, CACHE_LEAD);
    struct object *stale = object_ref(try.lookup.object);
    struct flight *late = cache_private_flight(&alone, stale, &try.lookup.key, nobody);
    flight_set_mark(late, try.lookup.mark);
    finish(kit, &try, answer(kit, &try, second, 20), 20);
    struct object *renewed = object_updated(stale, &stale->fields, &stale->freshness);
    flight_publish(late, renewed);
    cache_update(kit->cache, late, renewed);
    flight_leave(&alone);
    flight_unref(&late);
    object_unref(&renewed);
    object_unref(&stale);
}

Test(cache_update, a_late_304_does_not_bring_back_what_was_replaced)
{
    static const char *const newer[] = {"Cache-Control: max-age=60", "ETag: \"2\"", NULL};
    static const char *const untagged[] = {"Cache-Control: no-cache",
                                           "Last-Modified: Sun, 01 Nov 2020 00:00:00 GMT", NULL};
    struct cache_kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        replace_before_304(&kit, fresh, newer, 100);
        expect_length(&kit, CACHE_FRESH, 20);
        cache_kit_close(&kit);
        cache_kit_open(&kit, with_store); /* no clock and no tag tells one from the other */
        replace_before_304(&kit, untagged, untagged, 0);
        expect_length(&kit, CACHE_LEAD, 20);
        cache_kit_close(&kit);
    }
}

/* One for itself and one for all begin together; the first gets its head first, or last, and is
 * whole last. */
static enum reason finish_late(struct cache_kit *kit, int seconds)
{
    struct flight_member alone;
    struct waker nobody = {cache_kit_wake, kit};
    struct asked try;

    ask(kit, "http://a/x", NULL, &try);
    struct flight *late = cache_private_flight(&alone, NULL, &try.lookup.key, nobody);
    flight_set_mark(late, try.lookup.mark);
    struct object *object = answer(kit, &try, fresh, 10);
    kit->now += seconds;
    finish(kit, &try, answer(kit, &try, fresh, 20), 20);
    flight_publish(late, object);
    spool_append(object->spool, SPAN("0123456789"));
    enum reason why = cache_commit(kit->cache, late, object);
    object_unref(&object);
    flight_leave(&alone);
    flight_unref(&late);
    return why;
}

Test(cache_update, a_late_response_does_not_replace_a_newer_one)
{
    struct cache_kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        cr_expect_eq(finish_late(&kit, 1), REASON_OVERTAKEN);
        expect_length(&kit, CACHE_FRESH, 20);
        cache_kit_close(&kit);
        cache_kit_open(&kit, with_store);
        cr_expect_eq(finish_late(&kit, -1), REASON_STORED);
        expect_length(&kit, CACHE_FRESH, 10);
        cache_kit_close(&kit);
        cache_kit_open(&kit, with_store); /* the clock was a day ahead */
        kit.now = clock_wall();
        cr_expect_eq(finish_late(&kit, 86400), REASON_STORED);
        cache_kit_close(&kit);
    }
}

Test(cache_update, a_304_renews_what_is_stored)
{
    struct cache_kit kit;
    struct asked try;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 2000);
        kit.now += 100;
        ask(&kit, "http://a/x", NULL, &try);
        confirm(&kit, &try);
        ask(&kit, "http://a/x", NULL, &try);
        cr_expect_eq(try.result, CACHE_FRESH);
        cr_expect_eq(try.lookup.object->body_len, 2000);
        lookup_fini(&try.lookup);
        struct cache_stats stats;
        cache_stats(kit.cache, &stats);
        cr_expect_geq(stats.body_memory, 2000);
        cr_expect_gt(stats.table.bytes, stats.body_memory, "its body counts");
        cache_kit_close(&kit);
    }
}

Test(cache_update, a_304_renews_what_has_gone_from_memory_to_the_store_meanwhile)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, RAM_OBJECT_MAX + 1);
    kit.now += 100;
    ask(&kit, "http://a/x", NULL, &try);
    stores_flush(kit.cache->stores);
    confirm(&kit, &try);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

static uint64_t commits(struct cache_kit *kit)
{
    struct cache_stats stats;

    stores_flush(kit->cache->stores);
    cache_stats(kit->cache, &stats);
    return stats.store.commits;
}

/* A 304 `later` seconds after the last; returns how many commits it takes. */
static uint64_t commits_of_304(struct cache_kit *kit, const char *url, int64_t later)
{
    uint64_t before = commits(kit);
    struct asked try;

    kit->now += later;
    ask(kit, url, NULL, &try);
    confirm(kit, &try);
    return commits(kit) - before;
}

static int64_t confirmed_at(struct cache_kit *kit, const char *url)
{
    struct asked try;

    ask(kit, url, NULL, &try);
    cr_assert_not_null(try.lookup.object);
    int64_t when = try.lookup.object->freshness.response_time;
    cache_abandon(kit->cache, try.lookup.member.flight, 0);
    lookup_fini(&try.lookup);
    return when;
}

Test(cache_update, a_304_that_only_confirms_what_is_always_validated_is_written_once_a_minute)
{
    static const char *const always[] = {"Cache-Control: no-cache", "ETag: \"1\"", NULL};
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, always, 2000);
    int64_t written = kit.now;
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(commits_of_304(&kit, "http://a/x", 10), 0);
        cr_expect_eq(confirmed_at(&kit, "http://a/x"), kit.now);
    }
    ask(&kit, "http://a/x", NULL, &try);
    table_clear(kit.cache->table, &try.lookup.key);
    cache_abandon(kit.cache, try.lookup.member.flight, 0);
    lookup_fini(&try.lookup);
    cr_expect_eq(confirmed_at(&kit, "http://a/x"), written, "what is on disk is older");
    cr_expect_eq(confirmed_at(&kit, "http://a/x"), written, "and now in memory again");
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 9), 0);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 1), 1, "a minute since it was written");
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 59), 0);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", -60), 1, "the clock was set back");
    cache_kit_close(&kit);
}

Test(cache_update, a_304_that_makes_fresh_again_is_always_written)
{
    struct cache_kit kit;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 2000);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 100), 1);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 100), 1);
    cache_kit_close(&kit);
}
