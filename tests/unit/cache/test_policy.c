#include "heads.h"

#include "base/check.h"
#include "cache/policy.h"

#include <criterion/criterion.h>

#define LONG SECONDS_MAX

static void expect_number(int64_t got, int64_t want, const char *what, const char *of)
{
    cr_expect_eq(got, want, "%s: %s is %lld, not %lld", what, of, (long long)got, (long long)want);
}

/* ---- reading a request ---- */

Test(policy_read_request, rfc9111_5_2_1_directives)
{
    static const struct {
        const char *fields;
        bool no_cache, no_store, only_if_cached, max_stale_any;
        int64_t max_age, min_fresh, max_stale;
    } cases[] = {
        {"", 0, 0, 0, 0, -1, -1, -1},
        {"Accept: */*|Host: a", 0, 0, 0, 0, -1, -1, -1},
        {"Cache-Control: no-cache", 1, 0, 0, 0, -1, -1, -1},
        {"Cache-Control: max-age=0, no-store", 0, 1, 0, 0, 0, -1, -1},
        {"Cache-Control: min-fresh=30|Cache-Control: max-stale=7", 0, 0, 0, 0, -1, 30, 7},
        {"Cache-Control: max-stale", 0, 0, 0, 1, -1, -1, -1},
        {"Cache-Control: only-if-cached", 0, 0, 1, 0, -1, -1, -1},
        {"Pragma: no-cache", 1, 0, 0, 0, -1, -1, -1},
        {"Pragma: foo, NO-CACHE", 1, 0, 0, 0, -1, -1, -1},
        {"Pragma: foo", 0, 0, 0, 0, -1, -1, -1},
        /* Pragma counts only without Cache-Control (5.4) */
        {"Pragma: no-cache|Cache-Control: max-age=5", 0, 0, 0, 0, 5, -1, -1},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct policy_request request;
        const char *what = cases[i].fields;
        head_request(&head, &arena, METHOD_GET, what);
        policy_read_request(&head, &policy_defaults, &request);
        cr_expect(request.lookup, "%s", what);
        cr_expect_eq(request.control.no_cache, cases[i].no_cache, "%s", what);
        cr_expect_eq(request.control.no_store, cases[i].no_store, "%s", what);
        cr_expect_eq(request.control.only_if_cached, cases[i].only_if_cached, "%s", what);
        cr_expect_eq(request.control.max_stale_any, cases[i].max_stale_any, "%s", what);
        expect_number(request.control.max_age, cases[i].max_age, what, "max-age");
        expect_number(request.control.min_fresh, cases[i].min_fresh, what, "min-fresh");
        expect_number(request.control.max_stale, cases[i].max_stale, what, "max-stale");
    }
    arena_fini(&arena);
}

Test(policy_read_request, which_requests_the_cache_answers)
{
    static const struct {
        const char *what;
        enum http_method method;
        const char *fields;
        enum http_framing framing;
        int64_t length;
        enum reason reason;
        bool range, authorization;
    } cases[] = {
        {"GET", METHOD_GET, "", BODY_NONE, -1, REASON_NONE, 0, 0},
        {"HEAD", METHOD_HEAD, "", BODY_NONE, -1, REASON_NONE, 0, 0},
        {"POST", METHOD_POST, "", BODY_LENGTH, 3, REASON_METHOD, 0, 0},
        {"PUT without a body", METHOD_PUT, "", BODY_NONE, -1, REASON_METHOD, 0, 0},
        {"unknown method", METHOD_OTHER, "", BODY_NONE, -1, REASON_METHOD, 0, 0},
        {"OPTIONS", METHOD_OPTIONS, "", BODY_NONE, -1, REASON_METHOD, 0, 0},
        {"GET with a body", METHOD_GET, "", BODY_LENGTH, 3, REASON_REQUEST_BODY, 0, 0},
        {"GET, chunked", METHOD_GET, "", BODY_CHUNKED, -1, REASON_REQUEST_BODY, 0, 0},
        {"GET, HTTP/2 body", METHOD_GET, "", BODY_STREAM, -1, REASON_REQUEST_BODY, 0, 0},
        {"HEAD with a body", METHOD_HEAD, "", BODY_LENGTH, 1, REASON_REQUEST_BODY, 0, 0},
        {"Content-Length: 0 is no body", METHOD_GET, "", BODY_LENGTH, 0, REASON_NONE, 0, 0},
        {"Range", METHOD_GET, "Range: bytes=0-1", BODY_NONE, -1, REASON_NONE, 1, 0},
        {"Range means nothing to HEAD", METHOD_HEAD, "Range: bytes=0-1", BODY_NONE, -1, REASON_NONE,
         0, 0},
        {"credentials", METHOD_GET, "Authorization: Basic YTpi", BODY_NONE, -1, REASON_NONE, 0, 1},
        {"a cookie does not matter", METHOD_GET, "Cookie: a=b", BODY_NONE, -1, REASON_NONE, 0, 0},
        {"If-None-Match is ours", METHOD_GET, "If-None-Match: \"a\"", BODY_NONE, -1, REASON_NONE, 0,
         0},
        {"If-Match is the origin's", METHOD_GET, "If-Match: \"a\"", BODY_NONE, -1,
         REASON_CONDITIONAL, 0, 0},
        {"and so is If-Unmodified-Since", METHOD_GET, "If-Unmodified-Since: @0", BODY_NONE, -1,
         REASON_CONDITIONAL, 0, 0},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct policy_request request;
        head_request(&head, &arena, cases[i].method, cases[i].fields);
        head.framing = cases[i].framing;
        head.content_length = cases[i].length;
        policy_read_request(&head, &policy_defaults, &request);
        cr_expect_eq(request.reason, cases[i].reason, "%s", cases[i].what);
        cr_expect_eq(request.lookup, cases[i].reason == REASON_NONE, "%s", cases[i].what);
        cr_expect_eq(request.has_range, cases[i].range, "%s", cases[i].what);
        cr_expect_eq(request.authorization, cases[i].authorization, "%s", cases[i].what);
    }
    arena_fini(&arena);
}

Test(policy_read_request, clients_may_bypass_no)
{
    struct policy_settings settings = policy_defaults;
    struct policy_request request;
    struct http_head head;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    settings.ignore_client_control = true;
    head_request(&head, &arena, METHOD_GET,
                 "Cache-Control: no-cache, max-age=0, min-fresh=9, no-store, max-stale=3, "
                 "only-if-cached");
    policy_read_request(&head, &settings, &request);
    cr_expect(!request.control.no_cache);
    expect_number(request.control.max_age, -1, "bypass", "max-age");
    expect_number(request.control.min_fresh, -1, "bypass", "min-fresh");
    /* what does not go past the cache still counts */
    cr_expect(request.control.no_store);
    cr_expect(request.control.only_if_cached);
    expect_number(request.control.max_stale, 3, "bypass", "max-stale");

    head_request(&head, &arena, METHOD_GET, "Pragma: no-cache");
    policy_read_request(&head, &settings, &request);
    cr_expect(!request.control.no_cache);
    arena_fini(&arena);
}

/* ---- lifetimes ---- */

struct lifetime_case {
    int status;
    const char *fields;
    enum lifetime_source source;
    int64_t lifetime;
};

static void read_freshness(struct arena *arena, int status, const char *fields,
                           const struct policy_settings *settings, struct freshness *out)
{
    struct policy_times times = {.request = NOW, .response = NOW};
    struct http_head head;

    head_response(&head, arena, status, fields);
    policy_freshness(&head, times, settings, out);
}

static void expect_lifetimes(const struct lifetime_case *cases, size_t count,
                             const struct policy_settings *settings)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct freshness freshness;
        read_freshness(&arena, cases[i].status, cases[i].fields, settings, &freshness);
        expect_number(freshness.lifetime, cases[i].lifetime, cases[i].fields, "lifetime");
        expect_number(freshness.source, cases[i].source, cases[i].fields, "source");
    }
    arena_fini(&arena);
}

Test(policy_freshness, rfc9111_4_2_1_explicit)
{
    static const struct lifetime_case cases[] = {
        {200, "Cache-Control: max-age=60", LIFETIME_MAX_AGE, 60},
        {200, "Cache-Control: max-age=0", LIFETIME_MAX_AGE, 0},
        {200, "Cache-Control: max-age=-1", LIFETIME_MAX_AGE, 0},
        {200, "Cache-Control: max-age=003600", LIFETIME_MAX_AGE, 3600},
        {200, "Cache-Control: max-age='3600'", LIFETIME_MAX_AGE, 0},
        {200, "Cache-Control: max-age=2147483647", LIFETIME_MAX_AGE, 2147483647},
        {200, "Cache-Control: max-age=2147483648", LIFETIME_MAX_AGE, 2147483648},
        {200, "Cache-Control: max-age=2147483649", LIFETIME_MAX_AGE, 2147483649},
        {200, "Cache-Control: max-age=99999999999", LIFETIME_MAX_AGE, 99999999999},
        {200, "Cache-Control: max-age=99999999999999999999999", LIFETIME_MAX_AGE, LONG},
        {200, "Cache-Control: foo, MAX-AGE=60, bar=baz", LIFETIME_MAX_AGE, 60},
        /* not a directive: inside a quoted string */
        {200, "Cache-Control: a=\"max-age=9\", max-age=60", LIFETIME_MAX_AGE, 60},
        {200, "Cache-Control: max-age=60, a=\"b, max-age=9\"", LIFETIME_MAX_AGE, 60},
        {200, "Cache-Control: a=\"max-age=9\"", LIFETIME_NONE, 0},
        /* s-maxage before max-age and Expires, in any place */
        {200, "Cache-Control: max-age=1, s-maxage=60", LIFETIME_S_MAXAGE, 60},
        {200, "Cache-Control: s-maxage=60, max-age=100", LIFETIME_S_MAXAGE, 60},
        {200, "Cache-Control: max-age=100|Cache-Control: s-maxage=60", LIFETIME_S_MAXAGE, 60},
        {200, "Cache-Control: s-maxage=60|Expires: @-60|Date: @0", LIFETIME_S_MAXAGE, 60},
        /* max-age before Expires, in both directions */
        {200, "Cache-Control: max-age=60|Expires: @-60|Date: @0", LIFETIME_MAX_AGE, 60},
        {200, "Cache-Control: max-age=60|Expires: 0", LIFETIME_MAX_AGE, 60},
        {200, "Cache-Control: max-age=0|Expires: @600|Date: @0", LIFETIME_MAX_AGE, 0},
    };
    expect_lifetimes(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_freshness, rfc9111_5_3_expires)
{
    static const struct lifetime_case cases[] = {
        {200, "Date: @0|Expires: @60", LIFETIME_EXPIRES, 60},
        {200, "Date: @0|Expires: @0", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires: @-60", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires: 0", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires: -1", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires:", LIFETIME_EXPIRES, 0},
        /* the origin's clock is wrong */
        {200, "Date: @-7200|Expires: @-7000", LIFETIME_EXPIRES, 200},
        {200, "Date: @7200|Expires: @7100", LIFETIME_EXPIRES, 0},
        {200, "Date: @7200|Expires: @7300", LIFETIME_EXPIRES, 100},
        /* an unusable Date is replaced by the time of receipt */
        {200, "Date: tomorrow|Expires: @60", LIFETIME_EXPIRES, 60},
        {200, "Expires: @60", LIFETIME_EXPIRES, 60},
        /* other date forms, and dates that are none */
        {200, "Date: @0|Expires: Friday, 15-Jan-27 09:00:00 GMT", LIFETIME_EXPIRES, 3600},
        {200, "Date: @0|Expires: Fri Jan 15 09:00:00 2027", LIFETIME_EXPIRES, 3600},
        {200, "Date: @0|Expires: fri, 15 jan 2027 09:00:00 gmt", LIFETIME_EXPIRES, 3600},
        {200, "Date: @0|Expires: Fri, 15 Jan 2027 09:00:00 UTC", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires: Fri, 15 Jan 27 09:00:00 GMT", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires: Fri, 15 Jan 2027 9:00:00 GMT", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires: Fri, 15-Jan-2027 09:00:00 GMT", LIFETIME_EXPIRES, 0},
    };
    expect_lifetimes(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_freshness, rfc9111_4_2_2_heuristic)
{
    static const struct lifetime_case cases[] = {
        {200, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {200, "Date: @0|Last-Modified: @-1234", LIFETIME_HEURISTIC, 123},
        {203, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {204, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {404, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {405, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {410, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {414, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {451, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {501, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {201, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {202, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {403, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {502, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {503, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {504, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {599, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {599, "Date: @0|Last-Modified: @-1000|Cache-Control: public", LIFETIME_HEURISTIC, 100},
        {200, "Date: @0|Last-Modified: @-1000|Cache-Control: max-age=7", LIFETIME_MAX_AGE, 7},
        {200, "Date: @0|Last-Modified: @-1000|Expires: 0", LIFETIME_EXPIRES, 0},
        {200, "Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {200, "Date: @0|Last-Modified: @1000", LIFETIME_HEURISTIC, 0},
        {200, "Date: @0|Last-Modified: yesterday", LIFETIME_NONE, 0},
        {200, "Date: @0|ETag: \"a\"", LIFETIME_NONE, 0},
        /* a cap of a week */
        {200, "Date: @0|Last-Modified: @-1000000000", LIFETIME_HEURISTIC, 7 * 24 * 3600},
    };
    expect_lifetimes(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_freshness, rfc9213_targeted)
{
    static const struct span names[] = {SPAN_INIT("Larder-Cache-Control"),
                                        SPAN_INIT("CDN-Cache-Control")};
    static const struct lifetime_case cases[] = {
        {200, "CDN-Cache-Control: max-age=60|Cache-Control: max-age=5", LIFETIME_TARGETED, 60},
        {200, "CDN-Cache-Control: max-age=5|Cache-Control: max-age=60", LIFETIME_TARGETED, 5},
        {200, "CDN-Cache-Control: max-age=0|Cache-Control: max-age=60", LIFETIME_TARGETED, 0},
        {200, "CDN-Cache-Control: max-age=60|Expires: 0", LIFETIME_TARGETED, 60},
        {200, "CDN-Cache-Control: max-age=99999999999", LIFETIME_TARGETED, 99999999999},
        {200, "CDN-Cache-Control: max-age=60, foo=bar;a=1", LIFETIME_TARGETED, 60},
        {200, "CDN-Cache-Control: max-age=60|Larder-Cache-Control: max-age=7", LIFETIME_TARGETED,
         7},
        /* Expires counts for nothing beside a targeted field, heuristics do */
        {200, "CDN-Cache-Control: must-revalidate|Expires: @60|Date: @0", LIFETIME_NONE, 0},
        {200, "CDN-Cache-Control: public|Last-Modified: @-100|Date: @0", LIFETIME_HEURISTIC, 10},
        /* not a dictionary, or not an integer: the field is ignored entirely */
        {200, "CDN-Cache-Control: max-age=60,|Cache-Control: max-age=5", LIFETIME_MAX_AGE, 5},
        {200, "CDN-Cache-Control: max-age=\"60\"|Cache-Control: max-age=5", LIFETIME_MAX_AGE, 5},
        {200, "CDN-Cache-Control: max-age=1.5|Cache-Control: max-age=5", LIFETIME_MAX_AGE, 5},
    };
    struct policy_settings settings = policy_defaults;

    settings.targeted = names;
    settings.targeted_count = ARRAY_LEN(names);
    expect_lifetimes(cases, ARRAY_LEN(cases), &settings);

    static const struct lifetime_case plain[] = {
        {200, "CDN-Cache-Control: max-age=60|Cache-Control: max-age=5", LIFETIME_MAX_AGE, 5},
    };
    expect_lifetimes(plain, ARRAY_LEN(plain), &policy_defaults);
}

/* ---- age ---- */

Test(policy_age, rfc9111_4_2_3)
{
    static const struct {
        const char *fields;
        int64_t delay, resident, age;
    } cases[] = {
        {"", 0, 0, 0},
        {"", 0, 60, 60},
        {"", 3, 60, 63},
        {"Age: 30", 0, 60, 90},
        {"Age: 30", 2, 0, 32},
        {"Age: 30, 60", 0, 0, 30},
        {"Age: 30|Age: 60", 0, 0, 30},
        {"Age: abc", 0, 5, 5},
        {"Age: -30", 0, 5, 5},
        {"Age: +30", 0, 5, 5},
        {"Age: 1.5", 0, 5, 5},
        {"Age: 2147483647", 0, 1, 2147483648},
        {"Age: 2147483648", 0, 0, 2147483648},
        {"Age: 99999999999999999999", 0, 5, LONG},
        {"", 0, -60, 0}, /* our clock went back */
        {"", -9, 5, 5},
        /* the origin's clock is wrong: no age comes from it */
        {"Date: @-3600", 0, 5, 5},
        {"Date: @3600", 0, 5, 5},
        /* unless a cache without Age may be on the way */
        {"Date: @-3600|Via: 1.0 old", 0, 5, 3605},
        {"Date: @-3600|Via: 1.1 new, 1.0 old", 0, 5, 3605},
        {"Date: @-3600|Via: 1.1 new", 0, 5, 5},
        {"Date: @3600|Via: 1.0 old", 0, 5, 5},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_times times = {.request = NOW - cases[i].delay, .response = NOW};
        struct http_head head;
        struct freshness freshness;
        head_response(&head, &arena, 200, cases[i].fields);
        policy_freshness(&head, times, &policy_defaults, &freshness);
        expect_number(policy_age(&freshness, NOW + cases[i].resident), cases[i].age,
                      cases[i].fields, "age");
    }
    arena_fini(&arena);
}

Test(policy_freshness, marks)
{
    struct freshness freshness;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    read_freshness(&arena, 200,
                   "Cache-Control: max-age=1, no-cache, immutable, stale-while-revalidate=5, "
                   "stale-if-error=9|ETag: W/\"x\"|Last-Modified: @-10",
                   &policy_defaults, &freshness);
    cr_expect(freshness.no_cache);
    cr_expect(freshness.immutable);
    cr_expect(freshness.has_validator);
    cr_expect(!freshness.must_revalidate);
    cr_expect(!freshness.shareable_with_authorization);
    expect_number(freshness.stale_while_revalidate, 5, "marks", "swr");
    expect_number(freshness.stale_if_error, 9, "marks", "sie");
    expect_number(freshness.last_modified, NOW - 10, "marks", "last-modified");
    expect_number(freshness.response_time, NOW, "marks", "response time");

    read_freshness(&arena, 200, "ETag: *", &policy_defaults, &freshness);
    cr_expect(!freshness.has_validator, "\"*\" is no entity-tag");
    arena_fini(&arena);
}

/* ---- reuse ---- */

struct reuse_case {
    const char *response;
    const char *request;
    int64_t age;
    enum policy_verdict verdict;
    enum reason reason;
};

static void expect_reuse(const struct reuse_case *cases, size_t count)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct freshness freshness;
        struct http_head head;
        struct policy_request request;
        enum reason reason;
        enum policy_verdict verdict;
        read_freshness(&arena, 200, cases[i].response, &policy_defaults, &freshness);
        head_request(&head, &arena, METHOD_GET, cases[i].request);
        policy_read_request(&head, &policy_defaults, &request);
        verdict = policy_reuse(&request, &freshness, NOW + cases[i].age, &reason);
        cr_expect_eq(verdict, cases[i].verdict, "%s / %s at %lld: verdict %d", cases[i].response,
                     cases[i].request, (long long)cases[i].age, (int)verdict);
        cr_expect_eq(reason, cases[i].reason, "%s / %s at %lld: %.*s", cases[i].response,
                     cases[i].request, (long long)cases[i].age, SPAN_ARGS(reason_word(reason)));
    }
    arena_fini(&arena);
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
        read_freshness(&arena, 200, cases[i].response, &settings, &freshness);
        head_request(&head, &arena, METHOD_GET, cases[i].request);
        policy_read_request(&head, &settings, &request);
        cr_expect_eq(policy_stale_on_error(&request, &freshness, &settings, NOW + cases[i].age),
                     cases[i].want, "%s / %s at %lld", cases[i].response, cases[i].request,
                     (long long)cases[i].age);
    }
    arena_fini(&arena);
}
