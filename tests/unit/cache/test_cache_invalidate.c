#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>

Test(cache_invalidate, invalidation_forgets_every_variant_for_good)
{
    struct cache_kit kit;
    struct uri uri;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        fetch(&kit, "http://a/v", br, varies, 10);
        cr_assert_eq(uri_parse(SPAN("http://a/v"), &kit.arena, &uri), 0);
        cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_LEAD);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD, "the old one stays forgotten");
        cache_kit_close(&kit);
    }
}

Test(cache_invalidate, a_flight_under_way_when_its_key_is_invalidated_is_not_kept)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    cache_invalidate(kit.cache, &try.uri, SPAN("t"), &kit.arena);
    finish(&kit, &try, object, 5);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cache_kit_close(&kit);
}

Test(cache_invalidate, a_variants_flight_under_way_is_not_kept_either)
{
    struct cache_kit kit;
    struct asked try;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        ask(&kit, "http://a/v", br, &try);
        cr_assert_eq(try.result, CACHE_LEAD);
        cache_invalidate(kit.cache, &try.uri, SPAN("t"), &kit.arena);
        cr_expect(cache_is_outdated(kit.cache, try.lookup.member.flight));
        finish(&kit, &try, answer(&kit, &try, varies, 10), 10);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD);
        fetch(&kit, "http://a/v", br, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_FRESH, "later ones are");
        cache_kit_close(&kit);
    }
}

Test(cache_invalidate, what_invalidates_other_urls_does_not_matter)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    for (int i = 0; i < 35000; i++) { /* each guard sees some thirty */
        struct uri other = try.uri;
        other.path = arena_printf(&kit.arena, "/%d", i);
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(!cache_is_outdated(kit.cache, try.lookup.member.flight));
    finish(&kit, &try, object, 5);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

Test(cache_invalidate, more_invalidations_than_are_remembered_count_as_ours)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    for (int i = 0; i < 250000; i++) {
        struct uri other = try.uri;
        other.path = arena_printf(&kit.arena, "/%d", i);
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(cache_is_outdated(kit.cache, try.lookup.member.flight));
    finish(&kit, &try, object, 5);
    cache_kit_close(&kit);
}

/* Another URL of the host that has the same guard. */
static struct uri beside(struct cache_kit *kit, const struct asked *try)
{
    struct uri other = try->uri;
    struct cache_key key;
    int i = 0;

    do {
        other.path = arena_printf(&kit->arena, "/%d", i++);
        cache_primary_key(kit->cache, &other, SPAN("t"), &kit->arena, &key);
    } while (cache_guard_of(&key) != cache_guard_of(&try->lookup.primary));
    return other;
}

Test(cache_invalidate, one_url_may_be_invalidated_however_often_while_another_is_fetched)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    struct uri other = beside(&kit, &try);
    for (int i = 0; i < 10000; i++) {
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(!cache_is_outdated(kit.cache, try.lookup.member.flight));
    cache_invalidate(kit.cache, &try.uri, SPAN("t"), &kit.arena);
    for (int i = 0; i < 10; i++) {
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(cache_is_outdated(kit.cache, try.lookup.member.flight));
    finish(&kit, &try, object, 5);
    cache_kit_close(&kit);
}
