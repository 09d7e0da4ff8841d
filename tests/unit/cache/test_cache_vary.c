#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>

Test(cache_vary, variants_are_kept_side_by_side)
{
    struct cache_kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD);
        fetch(&kit, "http://a/v", br, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/v", NULL), CACHE_LEAD, "absent matches only absent");
        cache_kit_close(&kit);
    }
}

/* Its Vary base is there before it is. */
Test(cache_vary, the_first_variant_is_shared_while_its_body_arrives)
{
    struct cache_kit kit;
    struct asked first, same, other;
    struct failure failure;
    struct object *shared;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        ask(&kit, "http://a/v", gzip, &first);
        cr_assert_eq(first.result, CACHE_LEAD);
        struct object *object = answer(&kit, &first, varies, 10);

        ask(&kit, "http://a/v", br, &other);
        cr_expect_eq(other.result, CACHE_FOLLOW, "which variant it is will be seen");
        lookup_fini(&other.lookup);
        flight_publish(first.lookup.member.flight, object);
        ask(&kit, "http://a/v", br, &other);
        cr_expect_eq(other.result, CACHE_LEAD, "another one than this");
        cache_abandon(kit.cache, other.lookup.member.flight, 0);
        flight_fail(other.lookup.member.flight, (struct failure){502, REASON_CONNECT});
        lookup_fini(&other.lookup);

        ask(&kit, "http://a/v", gzip, &same);
        cr_assert_eq(same.result, CACHE_FOLLOW);
        cr_expect_eq(flight_look(&same.lookup.member, &shared, &failure), FLIGHT_SHARED);
        cr_expect_eq(shared, object);
        cr_expect(cache_shares(kit.cache, &same.lookup, shared, &same.request.fields, &kit.arena));
        object_unref(&shared);
        lookup_fini(&same.lookup);

        spool_append(object->spool, SPAN("0123456789"));
        cache_commit(kit.cache, first.lookup.member.flight, object);
        object_unref(&object);
        lookup_fini(&first.lookup);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
        cache_kit_close(&kit);
    }
}

static const char *const foo_other[] = {"Foo: other", NULL};

static size_t offered(struct cache_kit *kit, const char *url, struct span *first, struct span *last)
{
    struct asked try;
    size_t count;

    ask(kit, url, foo_other, &try);
    cr_assert_eq(try.result, CACHE_LEAD);
    struct flight *flight = flight_ref(try.lookup.member.flight);
    struct object *const *variants = flight_variants(flight, &count);
    if (count > 0) {
        *first = arena_copy(&kit->arena, fields_get(&variants[0]->fields, FIELD_ETAG));
        *last = arena_copy(&kit->arena, fields_get(&variants[count - 1]->fields, FIELD_ETAG));
    }
    cache_abandon(kit->cache, flight, 0);
    flight_fail(flight, (struct failure){502, REASON_CONNECT});
    flight_unref(&flight);
    lookup_fini(&try.lookup);
    return count;
}

Test(cache_vary, rfc9111_4_1_variants_are_offered_newest_first_and_at_most_8)
{
    struct cache_kit kit;
    struct span first, last;
    const char *url = "http://a/v";

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        cr_expect_eq(offered(&kit, url, &first, &last), 0);
        for (int n = 1; n <= 3; n++) {
            fetch_numbered(&kit, url, n);
        }
        cr_expect_eq(offered(&kit, url, &first, &last), 3);
        cr_expect(span_eq(first, SPAN("\"3\"")) && span_eq(last, SPAN("\"1\"")));
        for (int n = 4; n <= 20; n++) {
            fetch_numbered(&kit, url, n);
        }
        cr_expect_eq(offered(&kit, url, &first, &last), 8);
        cr_expect(span_eq(first, SPAN("\"20\"")) && span_eq(last, SPAN("\"13\"")));
        struct uri uri;
        cr_assert_eq(uri_parse(span_str(url), &kit.arena, &uri), 0);
        cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
        cr_expect_eq(offered(&kit, url, &first, &last), 0);
        cache_kit_close(&kit);
    }
}
