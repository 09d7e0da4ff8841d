#include "base/check.h"
#include "cache/decision.h"
#include "cache/decision_text.h"
#include "cache/decision_text.h"

#include <criterion/criterion.h>

Test(decision, every_word_is_a_token_and_unique)
{
    for (int i = 0; i < REASON_COUNT; i++) {
        struct span word = reason_word((enum reason)i);
        cr_expect_gt(word.len, 0);
        cr_expect_gt(reason_text((enum reason)i).len, 0);
        for (size_t k = 0; k < word.len; k++) {
            cr_expect((word.at[k] >= 'a' && word.at[k] <= 'z') || word.at[k] == '-');
        }
        for (int j = 0; j < i; j++) {
            cr_expect(!span_eq(word, reason_word((enum reason)j)), "%.*s", SPAN_ARGS(word));
        }
    }
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        cr_expect_gt(outcome_word((enum outcome)i).len, 0);
        cr_expect_gt(outcome_squid((enum outcome)i).len, 0);
    }
}

Test(decision, every_reason_has_its_rule)
{
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        enum reason reason = (enum reason)i;
        cr_expect(span_starts(reason_source(reason), SPAN("RFC ")) ||
                      span_eq(reason_source(reason), SPAN("larder")),
                  "%.*s", SPAN_ARGS(reason_word(reason)));
        cr_expect_gt(reason_rule(reason).len, 0, "%.*s", SPAN_ARGS(reason_word(reason)));
    }
}

#define UNKNOWN .age = -1, .lifetime = -1

Test(decision_cache_status, rfc9211)
{
    static const struct {
        const char *name;
        struct decision decision;
        const char *want;
    } cases[] = {
        {"larder",
         {.outcome = OUTCOME_HIT, .reason = REASON_FRESH, .age = 10, .lifetime = 60},
         "larder; hit; ttl=50"},
        {"larder",
         {.outcome = OUTCOME_HIT, .reason = REASON_FRESH, .age = 60, .lifetime = 60},
         "larder; hit; ttl=0"},
        {"larder", {.outcome = OUTCOME_HIT_MEMORY, .reason = REASON_FRESH, UNKNOWN}, "larder; hit"},
        {"larder",
         {.outcome = OUTCOME_HIT_MEMORY,
          .reason = REASON_FRESH,
          .served = SERVED_MEMORY,
          .age = 10,
          .lifetime = 60},
         "larder; hit; ttl=50"},
        {"larder",
         {.outcome = OUTCOME_HIT,
          .reason = REASON_FRESH,
          .served = SERVED_DISK,
          .age = 10,
          .lifetime = 60},
         "larder; hit; ttl=50; detail=disk"},
        {"larder",
         {.outcome = OUTCOME_HIT, .reason = REASON_FRESH, .served = SERVED_COLD, UNKNOWN},
         "larder; hit; detail=cold"},
        {"larder", /* a reason says more */
         {.outcome = OUTCOME_STALE,
          .reason = REASON_STALE_WHILE_REVALIDATE,
          .served = SERVED_COLD,
          UNKNOWN},
         "larder; hit; detail=stale-while-revalidate"},
        {"larder", /* and what the origin confirmed is no hit */
         {.outcome = OUTCOME_REVALIDATED,
          .reason = REASON_STALE,
          .store_reason = REASON_VALIDATED,
          .forward = FORWARD_STALE,
          .fwd_status = 304,
          .served = SERVED_DISK,
          UNKNOWN},
         "larder; fwd=stale; fwd-status=304"},
        {"larder",
         {.outcome = OUTCOME_STALE,
          .reason = REASON_STALE_WHILE_REVALIDATE,
          .age = 70,
          .lifetime = 60},
         "larder; hit; ttl=-10; detail=stale-while-revalidate"},
        {"larder",
         {.outcome = OUTCOME_STALE,
          .reason = REASON_STALE_IF_ERROR,
          .forward = FORWARD_STALE,
          .fwd_status = 503,
          .age = 70,
          .lifetime = 60},
         "larder; fwd=stale; fwd-status=503; ttl=-10; detail=stale-if-error"},
        {"larder", /* nobody was asked */
         {.outcome = OUTCOME_STALE, .reason = REASON_ORIGIN_SILENT, .age = 90, .lifetime = 60},
         "larder; hit; ttl=-30; detail=origin-silent"},
        {"larder",
         {.outcome = OUTCOME_MISS,
          .reason = REASON_NOT_STORED,
          .store_reason = REASON_STORED,
          .forward = FORWARD_URI_MISS,
          .fwd_status = 200,
          .stored = true,
          .age = 0,
          .lifetime = 60},
         "larder; fwd=uri-miss; fwd-status=200; stored; ttl=60"},
        {"larder",
         {.outcome = OUTCOME_MISS,
          .reason = REASON_VARY_MISS,
          .store_reason = REASON_PRIVATE,
          .forward = FORWARD_VARY_MISS,
          .fwd_status = 200,
          UNKNOWN},
         "larder; fwd=vary-miss; fwd-status=200; detail=private"},
        {"larder",
         {.outcome = OUTCOME_COLLAPSED,
          .reason = REASON_NOT_STORED,
          .forward = FORWARD_URI_MISS,
          .fwd_status = 200,
          .collapsed = true,
          UNKNOWN},
         "larder; fwd=uri-miss; fwd-status=200; collapsed"},
        {"larder",
         {.outcome = OUTCOME_REVALIDATED,
          .reason = REASON_STALE,
          .store_reason = REASON_VALIDATED,
          .forward = FORWARD_STALE,
          .fwd_status = 304,
          .age = 1,
          .lifetime = 60},
         "larder; fwd=stale; fwd-status=304; ttl=59"},
        {"larder",
         {.outcome = OUTCOME_REVALIDATED,
          .reason = REASON_REQUEST_NO_CACHE,
          .forward = FORWARD_REQUEST,
          .fwd_status = 304,
          UNKNOWN},
         "larder; fwd=request; fwd-status=304; detail=request-no-cache"},
        {"larder",
         {.outcome = OUTCOME_PARTIAL,
          .reason = REASON_PARTIAL_MISS,
          .store_reason = REASON_STORED,
          .forward = FORWARD_PARTIAL,
          .fwd_status = 206,
          .stored = true,
          UNKNOWN},
         "larder; fwd=partial; fwd-status=206; stored"},
        {"larder",
         {.outcome = OUTCOME_PASS,
          .reason = REASON_METHOD,
          .forward = FORWARD_METHOD,
          .fwd_status = 201,
          UNKNOWN},
         "larder; fwd=method; fwd-status=201"},
        {"larder",
         {.outcome = OUTCOME_PASS,
          .reason = REASON_CONDITIONAL,
          .forward = FORWARD_BYPASS,
          UNKNOWN},
         "larder; fwd=bypass; detail=conditional"},
        {"larder",
         {.outcome = OUTCOME_ERROR, .reason = REASON_DNS, .forward = FORWARD_MISS, UNKNOWN},
         "larder; fwd=miss; detail=dns"},
        {"larder",
         {.outcome = OUTCOME_LOCAL, .reason = REASON_ONLY_IF_CACHED, UNKNOWN},
         "larder; detail=only-if-cached"},
        {"larder", {.age = -1, .lifetime = -1}, "larder"},
        {"cache-1.example.net", {.age = -1, .lifetime = -1}, "cache-1.example.net"},
        /* names that are no token become strings */
        {"my cache", {.age = -1, .lifetime = -1}, "\"my cache\""},
        {"1st", {.age = -1, .lifetime = -1}, "\"1st\""},
        {"a\"b\\c\n", {.age = -1, .lifetime = -1}, "\"a\\\"b\\\\c \""},
        {"", {.age = -1, .lifetime = -1}, "\"\""},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span got =
            decision_cache_status(&cases[i].decision, span_str(cases[i].name), SPAN_EMPTY, &arena);
        cr_expect(span_eq(got, span_str(cases[i].want)), "%.*s, not %s", SPAN_ARGS(got),
                  cases[i].want);
    }
    arena_fini(&arena);
}

Test(decision, where_it_was_served_from)
{
    static const struct {
        enum outcome outcome;
        enum served found;
        uint64_t waited;
        enum outcome want;
        enum served served;
    } cases[] = {
        {OUTCOME_HIT_MEMORY, SERVED_MEMORY, 0, OUTCOME_HIT_MEMORY, SERVED_MEMORY},
        {OUTCOME_HIT, SERVED_DISK, 0, OUTCOME_HIT, SERVED_DISK},
        {OUTCOME_HIT, SERVED_DISK, 1, OUTCOME_HIT, SERVED_COLD},
        {OUTCOME_HIT_MEMORY, SERVED_MEMORY, 700, OUTCOME_HIT, SERVED_COLD}, /* its head was */
        {OUTCOME_STALE, SERVED_DISK, 9, OUTCOME_STALE, SERVED_COLD},
        {OUTCOME_REVALIDATED, SERVED_DISK, 0, OUTCOME_REVALIDATED, SERVED_DISK},
        {OUTCOME_PARTIAL, SERVED_DISK, 9, OUTCOME_PARTIAL, SERVED_COLD},
        {OUTCOME_MODIFIED, SERVED_DISK, 9, OUTCOME_MODIFIED, SERVED_NONE},
        {OUTCOME_MISS, SERVED_NONE, 9, OUTCOME_MISS, SERVED_NONE},
        {OUTCOME_ERROR, SERVED_MEMORY, 0, OUTCOME_ERROR, SERVED_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct decision decision = {.outcome = cases[i].outcome, .served = cases[i].found};
        for (int twice = 0; twice < 2; twice++) {
            decision_note_disk(&decision, cases[i].waited);
            cr_expect_eq(decision.outcome, cases[i].want, "case %zu", i);
            cr_expect_eq(decision.served, cases[i].served, "case %zu", i);
            cr_expect_eq(decision.disk_wait_us, cases[i].waited, "case %zu", i);
        }
    }
}

Test(decision_cache_status, a_key_is_a_bounded_string)
{
    static char text[CACHE_STATUS_KEY_MAX + 100];
    struct decision decision = {.outcome = OUTCOME_HIT, .reason = REASON_FRESH, UNKNOWN};
    struct arena arena;

    arena_init(&arena, NULL, 0);
    struct span got = decision_cache_status(
        &decision, SPAN("larder"), SPAN("http://a/?q=\"\\\n\303\244accept-encoding"), &arena);
    cr_expect(span_eq(got, SPAN("larder; hit; key=\"http://a/?q=\\\"\\\\   accept-encoding\"")),
              "%.*s", SPAN_ARGS(got));
    memset(text, '"', sizeof(text));
    got = decision_cache_status(&decision, SPAN("larder"), span_of(text, sizeof(text)), &arena);
    cr_expect_eq(got.len, strlen("larder; hit; key=\"\"") + 2 * CACHE_STATUS_KEY_MAX);
    arena_fini(&arena);
}

Test(decision_cache_status, the_longest_one_fits)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (int i = 0; i < REASON_COUNT * FORWARD_COUNT; i++) {
        struct decision decision = {.outcome = OUTCOME_COLLAPSED,
                                    .reason = (enum reason)(i % REASON_COUNT),
                                    .store_reason = (enum reason)(i % REASON_COUNT),
                                    .forward = (enum forward)(i / REASON_COUNT),
                                    .fwd_status = 2147483647,
                                    .stored = true,
                                    .collapsed = true,
                                    .age = INT64_C(1) << 42,
                                    .lifetime = 0};
        decision_cache_status(&decision, SPAN("\"\"\"\""), SPAN_EMPTY, &arena);
        decision.outcome = OUTCOME_STALE;
        decision_cache_status(&decision, SPAN("\"\"\"\""), SPAN("\"\"\"\""), &arena);
    }
    arena_fini(&arena);
}

Test(decision, is_savable)
{
    static const struct {
        const char *what;
        struct decision decision;
        bool savable;
        enum reason why;
    } cases[] = {
        {"a hit", {.outcome = OUTCOME_HIT, .reason = REASON_FRESH}, false, REASON_NONE},
        {"a miss that is kept",
         {.outcome = OUTCOME_MISS,
          .fwd_status = 200,
          .stored = true,
          .store_reason = REASON_STORED},
         false,
         REASON_NONE},
        {"shared with the request that fetched it",
         {.outcome = OUTCOME_COLLAPSED, .fwd_status = 200, .reason = REASON_NOT_STORED},
         false,
         REASON_NONE},
        {"private",
         {.outcome = OUTCOME_MISS, .fwd_status = 200, .store_reason = REASON_PRIVATE},
         true,
         REASON_PRIVATE},
        {"behind a pass mark",
         {.outcome = OUTCOME_PASS, .fwd_status = 200, .reason = REASON_PASS_MARK},
         true,
         REASON_PASS_MARK},
        {"a POST",
         {.outcome = OUTCOME_PASS, .fwd_status = 200, .reason = REASON_METHOD},
         false,
         REASON_METHOD},
        {"an origin that is away", {.outcome = OUTCOME_ERROR, .reason = REASON_CONNECT}, false, 0},
        {"CONNECT", {.outcome = OUTCOME_TUNNEL}, true, REASON_NONE},
        {"a WebSocket", {.outcome = OUTCOME_TUNNEL, .reason = REASON_UPGRADE}, false, REASON_NONE},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum reason why;
        cr_expect_eq(decision_is_savable(&cases[i].decision, &why), cases[i].savable, "%s",
                     cases[i].what);
        if (cases[i].savable) {
            cr_expect_eq(why, cases[i].why, "%s", cases[i].what);
        }
    }
}
