#include "heads.h"

#include "base/check.h"

#include <criterion/criterion.h>

#define LONG SECONDS_MAX

struct reuse_case {
    const char *response;
    const char *request;
    int64_t age;
    enum policy_verdict verdict;
    enum reason reason;
};

static void expect_reuse_under(const struct policy_settings *settings,
                               const struct reuse_case *cases, size_t count)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct freshness freshness;
        struct http_head head;
        struct policy_request request;
        enum reason reason;
        enum policy_verdict verdict;
        head_freshness(&arena, 200, cases[i].response, settings, &freshness);
        head_request(&head, &arena, METHOD_GET, cases[i].request);
        policy_read_request(&head, settings, &request);
        verdict = policy_reuse(&request, &freshness, NOW + cases[i].age, &reason);
        cr_expect_eq(verdict, cases[i].verdict, "%s / %s at %lld: verdict %d", cases[i].response,
                     cases[i].request, (long long)cases[i].age, (int)verdict);
        cr_expect_eq(reason, cases[i].reason, "%s / %s at %lld: %.*s", cases[i].response,
                     cases[i].request, (long long)cases[i].age, SPAN_ARGS(reason_word(reason)));
    }
    arena_fini(&arena);
}

static void expect_reuse(const struct reuse_case *cases, size_t count)
{
    expect_reuse_under(&policy_defaults, cases, count);
}

Test(policy_reuse, rfc9111_4_2_fresh_or_stale)
{
    static const struct reuse_case cases[] = {
        {"Cache-Control: max-age=60", "", 0, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "", 59, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "", 60, POLICY_VALIDATE, REASON_STALE},
        {"Cache-Control: max-age=0", "", 0, POLICY_VALIDATE, REASON_STALE},
        {"Cache-Control: max-age=3600|Age: 7200", "", 0, POLICY_VALIDATE, REASON_STALE},
        {"Cache-Control: max-age=3600|Age: 2147483648", "", 0, POLICY_VALIDATE, REASON_STALE},
        {"Cache-Control: max-age=99999999999", "", 2147483647, POLICY_FRESH, REASON_FRESH},
        {"Date: @0|Expires: @0", "", 0, POLICY_VALIDATE, REASON_STALE},
        {"Date: @300|Expires: @400|Age: 200", "", 0, POLICY_VALIDATE, REASON_STALE},
        {"Date: @-300|Expires: @10|Age: 400", "", 0, POLICY_VALIDATE, REASON_STALE},
        {"Date: @-300|Expires: @10|Age: 200", "", 0, POLICY_FRESH, REASON_FRESH},
        {"Last-Modified: @-1000|Date: @0", "", 99, POLICY_FRESH, REASON_FRESH},
        {"Last-Modified: @-1000|Date: @0", "", 100, POLICY_VALIDATE, REASON_STALE},
        {"ETag: \"a\"", "", 0, POLICY_VALIDATE, REASON_STALE},
    };
    expect_reuse(cases, ARRAY_LEN(cases));
}

Test(policy_reuse, rfc9111_5_2_2_response_directives)
{
    static const struct reuse_case cases[] = {
        {"Cache-Control: max-age=60, no-cache", "", 0, POLICY_VALIDATE, REASON_NO_CACHE},
        {"Cache-Control: NO-CACHE, s-maxage=60", "", 0, POLICY_VALIDATE, REASON_NO_CACHE},
        {"Cache-Control: no-cache|ETag: \"a\"", "", 0, POLICY_VALIDATE, REASON_NO_CACHE},
        {"Cache-Control: max-age=9, must-revalidate", "", 8, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=9, must-revalidate", "", 9, POLICY_VALIDATE,
         REASON_MUST_REVALIDATE},
        {"Cache-Control: max-age=9, proxy-revalidate", "", 9, POLICY_VALIDATE,
         REASON_MUST_REVALIDATE},
        {"Cache-Control: s-maxage=9", "", 9, POLICY_VALIDATE, REASON_MUST_REVALIDATE},
    };
    expect_reuse(cases, ARRAY_LEN(cases));
}

Test(policy_reuse, rfc9111_5_2_1_request_directives)
{
    static const struct reuse_case cases[] = {
        {"Cache-Control: max-age=60", "Cache-Control: no-cache", 0, POLICY_VALIDATE,
         REASON_REQUEST_NO_CACHE},
        {"Cache-Control: max-age=60", "Pragma: no-cache", 0, POLICY_VALIDATE,
         REASON_REQUEST_NO_CACHE},
        {"Cache-Control: max-age=60", "Cache-Control: no-store", 0, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: max-age=10", 10, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: max-age=10", 11, POLICY_VALIDATE,
         REASON_REQUEST_MAX_AGE},
        {"Cache-Control: max-age=60", "Cache-Control: max-age=0", 0, POLICY_VALIDATE,
         REASON_REQUEST_MAX_AGE},
        {"Cache-Control: max-age=60", "Cache-Control: min-fresh=30", 30, POLICY_FRESH,
         REASON_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: min-fresh=30", 31, POLICY_VALIDATE,
         REASON_REQUEST_MIN_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: min-fresh=99999999999999999999", 0,
         POLICY_VALIDATE, REASON_REQUEST_MIN_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale", 9999, POLICY_FRESH,
         REASON_STALE_REQUEST},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale=30", 90, POLICY_FRESH,
         REASON_STALE_REQUEST},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale=30", 91, POLICY_VALIDATE,
         REASON_STALE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale, max-age=70", 71, POLICY_VALIDATE,
         REASON_REQUEST_MAX_AGE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale, max-age=70", 70, POLICY_FRESH,
         REASON_STALE_REQUEST},
        {"Cache-Control: max-age=60, must-revalidate", "Cache-Control: max-stale", 61,
         POLICY_VALIDATE, REASON_MUST_REVALIDATE},
        {"Cache-Control: s-maxage=60", "Cache-Control: max-stale=99", 61, POLICY_VALIDATE,
         REASON_MUST_REVALIDATE},
        {"Cache-Control: max-age=60, no-cache", "Cache-Control: max-stale", 0, POLICY_VALIDATE,
         REASON_NO_CACHE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale, no-cache", 90, POLICY_VALIDATE,
         REASON_REQUEST_NO_CACHE},
        {"Cache-Control: max-age=60, proxy-revalidate", "Cache-Control: max-stale", 61,
         POLICY_VALIDATE, REASON_MUST_REVALIDATE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale=30, max-stale", 91, POLICY_VALIDATE,
         REASON_STALE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale, min-fresh=0", 60, POLICY_VALIDATE,
         REASON_REQUEST_MIN_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: only-if-cached", 5, POLICY_FRESH,
         REASON_FRESH},
    };
    expect_reuse(cases, ARRAY_LEN(cases));
}

Test(policy_reuse, rfc5861_3_stale_while_revalidate)
{
    static const struct reuse_case cases[] = {
        {"Cache-Control: max-age=10, stale-while-revalidate=5", "", 9, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=10, stale-while-revalidate=5", "", 10, POLICY_STALE_NOW,
         REASON_STALE_WHILE_REVALIDATE},
        {"Cache-Control: max-age=10, stale-while-revalidate=5", "", 14, POLICY_STALE_NOW,
         REASON_STALE_WHILE_REVALIDATE},
        {"Cache-Control: max-age=10, stale-while-revalidate=5", "", 15, POLICY_VALIDATE,
         REASON_STALE},
        {"Cache-Control: max-age=10, stale-while-revalidate=5, must-revalidate", "", 11,
         POLICY_VALIDATE, REASON_MUST_REVALIDATE},
        {"Cache-Control: s-maxage=10, stale-while-revalidate=5", "", 11, POLICY_VALIDATE,
         REASON_MUST_REVALIDATE},
        {"Cache-Control: max-age=10, stale-while-revalidate=5, no-cache", "", 11, POLICY_VALIDATE,
         REASON_NO_CACHE},
        /* what the origin permits, max-stale does not narrow */
        {"Cache-Control: max-age=10, stale-while-revalidate=5", "Cache-Control: max-stale=1", 13,
         POLICY_STALE_NOW, REASON_STALE_WHILE_REVALIDATE},
        {"Cache-Control: max-age=10, stale-while-revalidate=5", "Cache-Control: min-fresh=1", 11,
         POLICY_VALIDATE, REASON_REQUEST_MIN_FRESH},
        {"Cache-Control: max-age=10, stale-while-revalidate=99999999999999999999", "", LONG,
         POLICY_STALE_NOW, REASON_STALE_WHILE_REVALIDATE},
    };
    expect_reuse(cases, ARRAY_LEN(cases));
}

Test(policy_reuse, rfc8246_immutable)
{
    static const struct reuse_case cases[] = {
        {"Cache-Control: max-age=60, immutable", "Cache-Control: max-age=0", 5, POLICY_FRESH,
         REASON_FRESH},
        {"Cache-Control: max-age=60, immutable", "Cache-Control: max-age=0", 60, POLICY_VALIDATE,
         REASON_REQUEST_MAX_AGE},
        {"Cache-Control: max-age=60, immutable", "Cache-Control: no-cache", 5, POLICY_VALIDATE,
         REASON_REQUEST_NO_CACHE},
        {"Cache-Control: max-age=60, immutable", "Pragma: no-cache", 5, POLICY_VALIDATE,
         REASON_REQUEST_NO_CACHE},
        /* a bound is no reload */
        {"Cache-Control: max-age=60, immutable", "Cache-Control: max-age=4", 5, POLICY_VALIDATE,
         REASON_REQUEST_MAX_AGE},
        {"Cache-Control: max-age=60, immutable", "Cache-Control: min-fresh=59", 5, POLICY_VALIDATE,
         REASON_REQUEST_MIN_FRESH},
    };
    expect_reuse(cases, ARRAY_LEN(cases));
}

Test(policy_reuse, rfc9111_3_5_authorization)
{
    static const struct reuse_case cases[] = {
        {"Cache-Control: max-age=60", "Authorization: x", 0, POLICY_VALIDATE, REASON_AUTHORIZATION},
        {"Cache-Control: max-age=60, public", "Authorization: x", 0, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60, must-revalidate", "Authorization: x", 0, POLICY_FRESH,
         REASON_FRESH},
        {"Cache-Control: s-maxage=60", "Authorization: x", 0, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60, proxy-revalidate", "Authorization: x", 0, POLICY_VALIDATE,
         REASON_AUTHORIZATION},
    };
    expect_reuse(cases, ARRAY_LEN(cases));
}

Test(policy_reuse, rfc9213_targeted)
{
    static const struct span names[] = {SPAN_INIT("CDN-Cache-Control")};
    static const struct reuse_case cases[] = {
        {"CDN-Cache-Control: no-cache|Cache-Control: max-age=60", "", 0, POLICY_VALIDATE,
         REASON_NO_CACHE},
        {"CDN-Cache-Control: max-age=60|Cache-Control: no-cache", "", 0, POLICY_FRESH,
         REASON_FRESH},
        {"CDN-Cache-Control: max-age=60|Age: 60", "", 0, POLICY_VALIDATE, REASON_STALE},
        {"CDN-Cache-Control: max-age=60|Age: 59", "", 0, POLICY_FRESH, REASON_FRESH},
        {"CDN-Cache-Control: max-age=9|Cache-Control: must-revalidate", "Cache-Control: max-stale",
         20, POLICY_FRESH, REASON_STALE_REQUEST},
        {"CDN-Cache-Control: max-age=9, must-revalidate", "Cache-Control: max-stale", 20,
         POLICY_VALIDATE, REASON_MUST_REVALIDATE},
    };
    struct policy_settings settings = policy_defaults;

    settings.targeted = names;
    settings.targeted_count = ARRAY_LEN(names);
    expect_reuse_under(&settings, cases, ARRAY_LEN(cases));
}

Test(policy_reuse, clients_may_bypass_no)
{
    static const struct reuse_case cases[] = {
        {"Cache-Control: max-age=60", "Cache-Control: no-cache", 5, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "Pragma: no-cache", 5, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: max-age=0", 5, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: min-fresh=99", 5, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: no-store", 5, POLICY_FRESH, REASON_FRESH},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale", 99, POLICY_FRESH,
         REASON_STALE_REQUEST},
        {"Cache-Control: max-age=60", "Authorization: x", 5, POLICY_VALIDATE, REASON_AUTHORIZATION},
    };
    struct policy_settings settings = policy_defaults;

    settings.ignore_client_control = true;
    expect_reuse_under(&settings, cases, ARRAY_LEN(cases));
}

Test(policy_stale_on_error, rfc5861_4_rfc9111_4_2_4)
{
    static const struct {
        const char *response;
        const char *request;
        int64_t age;
        int64_t setting;
        bool want;
    } cases[] = {
        {"Cache-Control: max-age=10", "", 9999, -1, true},
        {"Cache-Control: max-age=10", "", 20, 5, false},
        {"Cache-Control: max-age=10", "", 15, 5, true},
        {"Cache-Control: max-age=10, must-revalidate", "", 11, -1, false},
        {"Cache-Control: max-age=10, proxy-revalidate", "", 11, -1, false},
        {"Cache-Control: max-age=10, no-cache", "", 5, -1, false},
        {"Cache-Control: s-maxage=10", "", 11, -1, false},
        {"Cache-Control: s-maxage=10", "Cache-Control: max-age=0", 5, -1, true},
        {"Cache-Control: max-age=10, stale-if-error=5", "", 15, -1, true},
        {"Cache-Control: max-age=10, stale-if-error=5", "", 16, -1, false},
        {"Cache-Control: max-age=10, stale-if-error=50", "", 60, 0, true},
        {"Cache-Control: max-age=10", "Cache-Control: stale-if-error=5", 15, 0, true},
        {"Cache-Control: max-age=10", "Cache-Control: stale-if-error=5", 16, 0, false},
        {"Cache-Control: max-age=10, must-revalidate, stale-if-error=50", "", 11, -1, false},
        {"Cache-Control: max-age=10, must-revalidate", "Cache-Control: stale-if-error=50", 11, -1,
         false},
        {"Cache-Control: max-age=10, no-cache, stale-if-error=50", "", 5, -1, false},
        /* the longer of two permissions */
        {"Cache-Control: max-age=10, stale-if-error=5", "Cache-Control: stale-if-error=9", 19, 0,
         true},
        {"Cache-Control: max-age=10, stale-if-error=5", "Cache-Control: stale-if-error=9", 20, 0,
         false},
        {"Cache-Control: max-age=10", "Cache-Control: no-cache", 11, -1, false},
        {"Cache-Control: max-age=10", "Authorization: x", 5, -1, false},
        {"Cache-Control: max-age=10, public", "Authorization: x", 15, -1, true},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_settings settings = policy_defaults;
        struct freshness freshness;
        struct policy_request request;
        struct http_head head;
        settings.stale_if_error = cases[i].setting;
        head_freshness(&arena, 200, cases[i].response, &settings, &freshness);
        head_request(&head, &arena, METHOD_GET, cases[i].request);
        policy_read_request(&head, &settings, &request);
        cr_expect_eq(policy_stale_on_error(&request, &freshness, &settings, NOW + cases[i].age),
                     cases[i].want, "%s / %s at %lld", cases[i].response, cases[i].request,
                     (long long)cases[i].age);
    }
    arena_fini(&arena);
}
