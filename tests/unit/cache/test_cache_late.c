#include "base/err.h"
#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>

Test(cache_late, a_store_that_comes_late_has_no_say_about_what_has_changed)
{
    struct cache_kit kit;
    struct uri uri;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, fresh_untagged, 100);
    fetch(&kit, "http://a/changed", NULL, fresh_untagged, 100);
    fetch(&kit, "http://a/dropped", NULL, fresh_untagged, 100);
    struct cache *older = kit.cache;
    kit.cache = cache_kit_beside(&kit, cache_secret(older));
    cr_expect(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_LEAD, "not yet");
    fetch(&kit, "http://a/changed", NULL, fresh_untagged, 200);
    cr_assert_eq(uri_parse(SPAN("http://a/dropped"), &kit.arena, &uri), 0);
    cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
    cr_expect_eq(cache_open_late(kit.cache), ERR_BUSY);
    cr_expect(cache_is_late(kit.cache), "there will be another time");
    cache_let_go(older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cr_expect_not(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    cr_expect_eq(result_of(&kit, "http://a/dropped", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://a/changed", NULL), CACHE_FRESH, "from memory");
    cache_close(&older);
    cache_close(&kit.cache);
    kit.cache = cache_kit_beside(&kit, NULL);
    cr_expect_eq(result_of(&kit, "http://a/changed", NULL), CACHE_LEAD, "the older one is gone");
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

/* It has no place there, and neither has what it replaced: nor may a later 304 write its head on
 * that. */
Test(cache_late, what_was_under_way_when_the_store_came_takes_the_place_of_what_it_has)
{
    struct cache_kit kit;
    struct asked try;

    for (int renewed = 0; renewed < 2; renewed++) {
        cache_kit_open(&kit, true);
        fetch(&kit, "http://a/x", NULL, fresh_untagged, 100);
        struct cache *older = kit.cache;
        kit.cache = cache_kit_beside(&kit, cache_secret(older));
        ask(&kit, "http://a/x", NULL, &try);
        cr_assert_eq(try.result, CACHE_LEAD);
        struct object *newer = answer(&kit, &try, fresh, 200);
        cache_close(&older);
        cr_assert_eq(cache_open_late(kit.cache), 0);
        finish(&kit, &try, newer, 200);
        if (renewed) {
            kit.now += 100;
            ask(&kit, "http://a/x", NULL, &try);
            confirm(&kit, &try);
        }
        expect_length(&kit, CACHE_FRESH, 200);
        cache_kit_reopen(&kit);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD, "the older one is gone");
        cache_kit_close(&kit);
    }
}

Test(cache_late, a_late_store_under_another_secret_is_left_alone)
{
    static const struct sip_key another = {1, 2};
    struct cache_kit kit;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, fresh_untagged, 100);
    struct cache *older = kit.cache;
    kit.cache = cache_kit_beside(&kit, &another);
    cache_close(&older);
    cr_expect_neq(cache_open_late(kit.cache), 0);
    cr_expect_not(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_LEAD);
    cache_close(&kit.cache);
    kit.cache = cache_kit_beside(&kit, NULL);
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH, "nothing was taken from it");
    cache_kit_close(&kit);
}

Test(cache_late, a_late_store_has_dropped_what_has_changed_before_it_is_looked_at)
{
    enum { HOT = (1 << 20) + 1, CHANGED = 20000 };
    struct cache_kit kit;
    struct cache_key key = {.hash = {1}};
    struct cache_stats stats;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, fresh_untagged, 100);
    struct cache *older = kit.cache;
    kit.cache = cache_kit_beside(&kit, cache_secret(older));
    for (int i = 0; i < HOT; i++) { /* one key takes one place */
        cache_changed(kit.cache, &key);
    }
    for (uint64_t i = 1; i <= CHANGED; i++) {
        memcpy(key.hash + 8, &i, sizeof(i)); /* and many belong into one place */
        memcpy(key.hash, &(uint64_t){i / 64}, sizeof(i));
        cache_changed(kit.cache, &key);
    }
    cache_close(&older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.dirty, 0, "nothing is pending");
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

Test(cache_late, a_store_that_nobody_has_is_not_late)
{
    static const struct sip_key of_another = {1, 2};
    struct cache_kit kit;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, fresh_untagged, 100);
    cache_close(&kit.cache);
    kit.cache = cache_kit_beside(&kit, &of_another);
    cr_expect_not(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}
