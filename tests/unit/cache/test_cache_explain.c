#include "cache/explain.h"
#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>

static void explain(struct cache_kit *kit, const char *url, const char *const *lines,
                    struct explanation *out)
{
    struct http_head request;
    struct policy_request policy;
    struct uri uri;

    head_init(&request, &kit->arena);
    request.method = METHOD_GET;
    request.content_length = -1;
    add_lines(&request.fields, lines);
    cr_assert_eq(uri_parse(span_str(url), &kit->arena, &uri), 0);
    policy_read_request(&request, &policy_defaults, &policy);
    cache_explain(kit->cache,
                  &(struct cache_query){.request = &request,
                                        .policy = &policy,
                                        .uri = &uri,
                                        .zone = SPAN("t"),
                                        .now = kit->now,
                                        .arena = &kit->arena},
                  out);
}

Test(cache_explain, an_explanation_says_what_a_lookup_would_and_leaves_no_trace)
{
    struct explanation explanation;
    struct cache_stats stats;
    struct cache_kit kit;

    cache_kit_open(&kit, true);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_LEAD);
    cr_expect_eq(explanation.decision.reason, REASON_NOT_STORED);
    cr_expect_eq(explanation.decision.forward, FORWARD_URI_MISS);
    explanation_fini(&explanation);
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.table.entries, 0);
    cr_expect_eq(stats.table.flights, 0);

    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    cache_kit_reopen(&kit); /* now it is on disk only */
    for (int i = 0; i < 2; i++) {
        explain(&kit, "http://a/x", NULL, &explanation);
        cr_expect_eq(explanation.result, CACHE_FRESH);
        cr_expect_eq(explanation.decision.outcome, OUTCOME_HIT, "it became hot");
        cr_expect_eq(explanation.decision.age, 0);
        cr_expect_eq(explanation.decision.lifetime, 60);
        explanation_fini(&explanation);
    }
    kit.now += 60;
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_LEAD);
    cr_expect_eq(explanation.decision.reason, REASON_STALE);
    cr_assert_not_null(explanation.lookup.object);
    explanation_fini(&explanation);
    cache_kit_close(&kit);
}

Test(cache_explain, an_explanation_names_flights_and_pass_marks)
{
    struct explanation explanation;
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_FOLLOW);
    cr_expect(explanation.present.fetching);
    cr_expect_eq(explanation.present.waiting, 1);
    explanation_fini(&explanation);

    struct object *object = answer(&kit, &try, fresh, 0);
    object->stored_reason = REASON_PRIVATE;
    flight_publish_solo(try.lookup.member.flight, object);
    cache_abandon(kit.cache, try.lookup.member.flight, kit.now + 120);
    spool_end(object->spool, 0);
    object_unref(&object);
    lookup_fini(&try.lookup);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_ALONE);
    cr_expect_eq(explanation.decision.reason, REASON_PASS_MARK);
    cr_expect_eq(explanation.present.pass_until, kit.now + 120);
    cr_expect_eq(explanation.present.pass_reason, REASON_PRIVATE);
    explanation_fini(&explanation);
    cache_kit_close(&kit);
}

Test(cache_explain, an_explanation_lists_variants_and_what_selects_them)
{
    static const char *const by_two[] = {"Cache-Control: max-age=60", "Vary: B, a", NULL};
    static const char *const one[] = {"A: 1", NULL};
    static const char *const two[] = {"A: 2", "B: x, y", NULL};
    struct explanation explanation;
    struct cache_kit kit;
    struct span name, value;
    bool absent;

    cache_kit_open(&kit, false);
    fetch(&kit, "http://a/x", one, by_two, 10);
    fetch(&kit, "http://a/x", two, by_two, 20);
    fetch(&kit, "http://a/xy", one, by_two, 30);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.decision.reason, REASON_VARY_MISS);
    cr_assert_eq(explanation.spec_count, 1);
    cr_expect(span_eq(explanation.specs[0], SPAN("a,b")));
    cr_assert_eq(explanation.variant_count, 2);
    for (size_t i = 0; i < 2; i++) {
        bool second = explanation.variants[i]->body_len == 20;
        struct selection selection = explanation_selection(explanation.variants[i]);
        cr_assert(selection_next(&selection, &name, &value, &absent));
        cr_expect(span_eq(name, SPAN("a")));
        cr_expect(span_eq(value, second ? SPAN("2") : SPAN("1")));
        cr_assert(selection_next(&selection, &name, &value, &absent));
        cr_expect(span_eq(name, SPAN("b")));
        cr_expect_eq(absent, !second);
        cr_expect(span_eq(value, second ? SPAN("x,y") : SPAN_EMPTY));
        cr_expect_not(selection_next(&selection, &name, &value, &absent));
    }
    explanation_fini(&explanation);
    cache_kit_close(&kit);
}
