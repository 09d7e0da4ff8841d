#include "base/mem.h"
#include "base/memory.h"
#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(cache_memory, what_the_store_has_comes_to_memory_at_its_second_use)
{
    static const char *const wanted[] = {"store", "store", "memory", "memory"};
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 2000);
    fetch(&kit, "http://a/large", NULL, fresh, 100000);
    cache_kit_reopen(&kit);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        ask(&kit, "http://a/x", NULL, &try);
        cr_expect_eq(try.result, CACHE_FRESH);
        cr_expect_str_eq(try.lookup.from_memory ? "memory" : "store", wanted[i], "use %zu", i + 1);
        cr_expect_eq(try.decision.served, try.lookup.from_memory ? SERVED_MEMORY : SERVED_DISK);
        cr_expect_eq(try.lookup.object->body_len, 2000);
        lookup_fini(&try.lookup);
        ask(&kit, "http://a/large", NULL, &try);
        cr_expect_not(try.lookup.from_memory, "too large");
        lookup_fini(&try.lookup);
    }
    cache_kit_close(&kit);
}

Test(cache_memory, without_a_store_large_bodies_are_kept_while_there_is_room)
{
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, false);
    fetch(&kit, "http://a/large", NULL, fresh, 5 << 20);
    for (int i = 0; i < 3; i++) {
        ask(&kit, "http://a/large", NULL, &try);
        cr_assert_eq(try.result, CACHE_FRESH);
        cr_expect(object_in_memory(try.lookup.object));
        cr_expect_eq(try.lookup.object->body_len, 5 << 20);
        lookup_fini(&try.lookup);
    }
    cache_kit_close(&kit);
}

Test(cache_memory, without_a_store_a_large_body_makes_others_leave_at_its_second_request_only)
{
    struct cache_kit kit;
    struct cache_stats stats;
    char url[64];

    cache_kit_open(&kit, false);
    for (int i = 0; i < 2000; i++) { /* more than there is room for */
        snprintf(url, sizeof(url), "http://a/%d", i);
        fetch(&kit, url, NULL, fresh, 20000);
    }
    cache_stats(kit.cache, &stats);
    uint64_t evicted = stats.table.evicted;
    fetch(&kit, "http://a/large", NULL, fresh, 4 << 20);
    cache_stats(kit.cache, &stats);
    cr_expect_lt(stats.table.evicted, evicted + 300, "no more than while it passed");
    fetch(&kit, "http://a/large", NULL, fresh, 4 << 20);
    cr_expect_eq(result_of(&kit, "http://a/large", NULL), CACHE_FRESH);
    cr_expect_leq(memory_used(), 32 << 20);
    cache_kit_close(&kit);
}

Test(cache_memory, memory_stays_under_its_limit)
{
    struct cache_kit kit;
    struct cache_stats stats;
    char url[64];

    cache_kit_open(&kit, false);
    for (int i = 0; i < 4000; i++) {
        snprintf(url, sizeof(url), "http://a/%d", i);
        fetch(&kit, url, NULL, fresh, 20000);
    }
    cache_stats(kit.cache, &stats);
    cr_expect_leq(stats.table.bytes, 32 << 20);
    cr_expect_leq(stats.body_memory, 32 << 20);
    cr_expect_gt(stats.table.evicted, 1000);
    cr_expect_eq(result_of(&kit, url, NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

/* Answers in chunks, so that only its end tells how long it is. */
static struct object *answer_unmeasured(struct cache_kit *kit, struct asked *try)
{
    struct http_head response;
    struct freshness freshness;
    enum reason why = REASON_NONE;

    head_init(&response, &kit->arena);
    response.status = 200;
    response.framing = BODY_CHUNKED;
    response.content_length = -1;
    add_lines(&response.fields, fresh);
    policy_freshness(&response, (struct policy_times){kit->now, kit->now}, &policy_defaults,
                     &freshness);
    struct object *object = cache_admit(kit->cache,
                                        &(struct admission){.primary = &try->lookup.primary,
                                                            .request = &try->request,
                                                            .response = &response,
                                                            .fields = &response.fields,
                                                            .freshness = &freshness,
                                                            .store = true,
                                                            .spool_limit = 1 << 20,
                                                            .arena = &kit->arena},
                                        &why);
    cr_assert_eq(why, REASON_STORED);
    return object;
}

Test(cache_memory, what_turns_out_too_large_is_not_kept)
{
    static const size_t bodies[] = {1000, 1001};
    struct cache_kit kit;
    struct asked try;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        cache_close(&kit.cache);
        struct store_dir dir = {kit.path, 64 << 20};
        struct cache_options options = {
            .dirs = &dir, .dir_count = (size_t)with_store, .memory = 32 << 20, .object_max = 1000};
        cr_assert_eq(cache_open(&options, &kit.cache), 0);
        for (size_t i = 0; i < 2; i++) {
            const char *url = i ? "http://a/larger" : "http://a/just";
            ask(&kit, url, NULL, &try);
            struct object *object = answer_unmeasured(&kit, &try);
            char bytes[1001] = {0};
            flight_publish(try.lookup.member.flight, object);
            spool_append(object->spool, span_of(bytes, bodies[i]));
            cr_expect_eq(cache_commit(kit.cache, try.lookup.member.flight, object),
                         i ? REASON_TOO_LARGE : REASON_STORED);
            object_unref(&object);
            lookup_fini(&try.lookup);
            cr_expect_eq(result_of(&kit, url, NULL), i ? CACHE_LEAD : CACHE_FRESH);
        }
        cache_kit_close(&kit);
    }
}

Test(cache_memory, what_has_become_too_large_is_not_written_any_further)
{
    enum { BITE = 1 << 20, MOST = 2 * BITE, BITES = 8 };
    char *bytes = xcalloc(1, BITE);
    struct cache_stats stats;
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    cache_set_object_max(kit.cache, MOST);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer_unmeasured(&kit, &try);
    flight_publish(try.lookup.member.flight, object);
    for (int i = 0; i < BITES; i++) {
        spool_append(object->spool, span_of(bytes, BITE));
        cr_expect_eq(spool_is_wanted(object->spool), (i + 1) * BITE <= MOST);
    }
    cache_set_object_max(kit.cache, 0); /* its beginning is gone all the same */
    cr_expect_eq(cache_commit(kit.cache, try.lookup.member.flight, object), REASON_TOO_LARGE);
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_leq(stats.store.written_bytes, MOST + BITE);
    object_unref(&object);
    lookup_fini(&try.lookup);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cache_kit_close(&kit);
    free(bytes);
}

Test(cache_memory, how_large_what_is_kept_may_be_changes_while_it_runs)
{
    struct cache_kit kit;
    struct asked try;

    for (int with_store = 0; with_store < 2; with_store++) {
        cache_kit_open(&kit, with_store);
        cache_set_object_max(kit.cache, 1000);
        ask(&kit, "http://a/x", NULL, &try);
        finish(&kit, &try, answer_as(&kit, &try, fresh, 1001, REASON_TOO_LARGE), 1001);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        cache_set_object_max(kit.cache, 0);
        fetch(&kit, "http://a/x", NULL, fresh, 1001);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
        cache_kit_close(&kit);
    }
}
