#include "tests/unit/cache/cache_kit.h"

#include "base/mem.h"
#include "base/memory.h"

#include <criterion/criterion.h>

Test(cache, what_was_committed_answers_at_once_and_until_it_is_stale)
{
    struct cache_kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 1000);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/y", NULL), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_LEAD, "two hosts never meet");
        kit.now += 60;
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        cache_kit_close(&kit);
    }
}

Test(cache, large_objects_answer_while_and_after_they_are_written)
{
    struct cache_kit kit;
    struct asked try;
    struct object_reader reader;
    struct span span;
    uint64_t total = 0;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/large", NULL, fresh, 2500000);
    ask(&kit, "http://a/large", NULL, &try);
    cr_assert_eq(try.result, CACHE_FRESH);
    cr_assert_eq(object_reader_init(&reader, try.lookup.object, 10, UINT64_MAX, (struct waker){0}),
                 0);
    while (source_peek(&reader.source, &span) == 0 && span.len > 0) {
        cr_assert_eq(span.at[0], 'x');
        total += span.len;
        source_advance(&reader.source, span.len);
    }
    cr_assert_eq(total, 2500000 - 10);
    object_reader_fini(&reader);
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
}

Test(cache, simultaneous_misses_share_one_flight)
{
    struct cache_kit kit;
    struct asked leader, follower[10];
    struct object *seen;
    struct failure failure;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &leader);
    cr_assert_eq(leader.result, CACHE_LEAD);
    for (size_t i = 0; i < 10; i++) {
        ask(&kit, "http://a/x", NULL, &follower[i]);
        cr_assert_eq(follower[i].result, CACHE_FOLLOW);
        cr_assert_eq(flight_look(&follower[i].lookup.member, &seen, &failure), FLIGHT_WAITING);
    }
    struct object *object = answer(&kit, &leader, fresh, 5);
    finish(&kit, &leader, object, 5);
    cr_assert_eq(kit.wakes, 11);
    for (size_t i = 0; i < 10; i++) {
        cr_assert_eq(flight_look(&follower[i].lookup.member, &seen, &failure), FLIGHT_SHARED);
        cr_assert(cache_shares(kit.cache, &follower[i].lookup, seen, &follower[i].request.fields,
                               &kit.arena));
        object_unref(&seen);
        lookup_fini(&follower[i].lookup);
    }
    cache_kit_close(&kit);
}

static void fail(struct cache_kit *kit, struct asked *leader)
{
    struct flight *flight = flight_ref(leader->lookup.member.flight);

    cr_assert_eq(leader->result, CACHE_LEAD);
    lookup_fini(&leader->lookup);
    cache_fail(kit->cache, flight, (struct failure){502, REASON_ORIGIN_CLOSED});
    flight_unref(&flight);
}

/* Looks up again after the flight that it has followed has failed. */
static void try_again(struct cache_kit *kit, struct asked *try)
{
    struct object *object;
    struct failure failure;
    struct flight *failed = flight_ref(try->lookup.member.flight);

    cr_assert_eq(flight_look(&try->lookup.member, &object, &failure), FLIGHT_FAILED);
    lookup_fini(&try->lookup);
    ask_after(kit, "http://a/x", NULL, failed, try);
    flight_unref(&failed);
}

Test(cache, all_who_waited_for_a_failed_flight_share_one_more)
{
    struct cache_kit kit;
    struct asked leader, follower[4], stranger;
    struct object *object;
    struct failure failure;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &leader);
    for (size_t i = 0; i < ARRAY_LEN(follower); i++) {
        ask(&kit, "http://a/x", NULL, &follower[i]);
        cr_assert_eq(follower[i].result, CACHE_FOLLOW);
    }
    fail(&kit, &leader);
    try_again(&kit, &follower[0]);
    try_again(&kit, &follower[1]);
    cr_expect_eq(follower[1].result, CACHE_FOLLOW);
    fail(&kit, &follower[0]);
    try_again(&kit, &follower[2]); /* wakes late, when the second flight has failed */
    cr_expect_eq(follower[2].result, CACHE_FOLLOW);
    cr_expect_eq(flight_look(&follower[2].lookup.member, &object, &failure), FLIGHT_FAILED);
    cr_expect_eq(failure.reason, REASON_ORIGIN_CLOSED);
    ask(&kit, "http://a/x", NULL, &stranger);
    cr_expect_eq(stranger.result, CACHE_LEAD, "who has waited for neither");
    try_again(&kit, &follower[3]);
    cr_expect_eq(follower[3].result, CACHE_FOLLOW);
    cr_expect_eq(flight_look(&follower[3].lookup.member, &object, &failure), FLIGHT_WAITING);
    fail(&kit, &stranger);
    for (size_t i = 1; i < ARRAY_LEN(follower); i++) {
        lookup_fini(&follower[i].lookup);
    }
    cr_expect_eq(memory_sum(MEMORY_FLIGHTS), 0);
    cache_kit_close(&kit);
}

Test(cache, what_a_later_flight_has_brought_is_not_had_from_there_but_looked_for)
{
    struct cache_kit kit;
    struct asked leader, early, late;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &leader);
    ask(&kit, "http://a/x", NULL, &early);
    ask(&kit, "http://a/x", NULL, &late);
    fail(&kit, &leader);
    try_again(&kit, &early);
    cr_assert_eq(early.result, CACHE_LEAD);
    finish(&kit, &early, answer(&kit, &early, fresh, 5), 5);
    cache_invalidate(kit.cache, &late.uri, SPAN("t"), &kit.arena);
    try_again(&kit, &late);
    fail(&kit, &late); /* it was invalidated since: asks the origin */
    cache_kit_close(&kit);
}

Test(cache, an_unshareable_answer_leaves_a_pass_mark)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    cache_abandon(kit.cache, try.lookup.member.flight, kit.now + 10);
    flight_fail(try.lookup.member.flight, (struct failure){502, REASON_CONNECT});
    lookup_fini(&try.lookup);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_ALONE);
    kit.now += 10;
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cache_kit_close(&kit);
}

Test(cache, the_fetch_side_hears_that_nobody_waits_any_more)
{
    struct cache_kit kit;
    struct asked leader, follower;
    struct cache_kit owner = {0};

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &leader);
    ask(&kit, "http://a/x", NULL, &follower);
    struct flight *flight = flight_ref(leader.lookup.member.flight);
    flight_watch(flight, (struct waker){cache_kit_wake, &owner});
    lookup_fini(&leader.lookup);
    cr_expect_eq(owner.wakes, 0);
    lookup_fini(&follower.lookup);
    cr_expect_eq(owner.wakes, 1);
    cache_abandon(kit.cache, flight, 0);
    flight_watch(flight, (struct waker){0});
    flight_unref(&flight);
    cache_kit_close(&kit);
}

Test(cache, rfc9111_5_2_1_7_only_if_cached_validates_nothing_in_the_background)
{
    static const char *const lasting[] = {"Cache-Control: max-age=60, stale-while-revalidate=60",
                                          "ETag: \"1\"", NULL};
    static const char *const only[] = {"Cache-Control: only-if-cached", NULL};
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, lasting, 1000);
    kit.now += 61;
    ask(&kit, "http://a/x", only, &try);
    cr_expect_eq(try.result, CACHE_STALE);
    cr_expect_not(try.lookup.lead);
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
}

Test(cache, survives_reopening)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/small", NULL, fresh, 100);
    fetch(&kit, "http://a/large", NULL, fresh, 1500000);
    fetch(&kit, "http://a/v", gzip, varies, 10);
    cache_kit_reopen(&kit);
    cr_expect_eq(result_of(&kit, "http://a/small", NULL), CACHE_FRESH);
    cr_expect_eq(result_of(&kit, "http://a/large", NULL), CACHE_FRESH);
    cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
    ask(&kit, "http://a/small", NULL, &try);
    cr_expect(span_eq(fields_get(&try.lookup.object->fields, FIELD_ETAG), SPAN("\"1\"")));
    cr_expect_eq(try.lookup.object->received, HTTP_1_0);
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
}
