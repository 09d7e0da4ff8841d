#include "heads.h"

#include "base/check.h"

#include <criterion/criterion.h>

#define LONG SECONDS_MAX

/* ---- lifetimes ---- */

struct lifetime_case {
    int status;
    const char *fields;
    enum lifetime_source source;
    int64_t lifetime;
};

static void expect_lifetimes(const struct lifetime_case *cases, size_t count,
                             const struct policy_settings *settings)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct freshness freshness;
        head_freshness(&arena, cases[i].status, cases[i].fields, settings, &freshness);
        head_expect(freshness.lifetime, cases[i].lifetime, cases[i].fields, "lifetime");
        head_expect(freshness.source, cases[i].source, cases[i].fields, "source");
    }
    arena_fini(&arena);
}

Test(policy_freshness, what_is_known_of_the_place_says_more)
{
    static const struct policy_known file = {.at_least = 1000, .only_success = true};
    static const struct policy_known document = {.at_most = 300, .if_silent = 200};
    static const struct lifetime_case of_files[] = {
        {200, "Cache-Control: max-age=60", LIFETIME_KNOWN, 1000},
        {200, "Cache-Control: max-age=6000", LIFETIME_MAX_AGE, 6000},
        {200, "", LIFETIME_KNOWN, 1000},
        {404, "Cache-Control: max-age=60", LIFETIME_MAX_AGE, 60},
    };
    static const struct lifetime_case of_documents[] = {
        {200, "Cache-Control: max-age=60", LIFETIME_MAX_AGE, 60},
        {200, "Cache-Control: max-age=0", LIFETIME_MAX_AGE, 0},
        {200, "Cache-Control: max-age=6000", LIFETIME_KNOWN, 300},
        {200, "Date: @0|Last-Modified: @-100000", LIFETIME_KNOWN, 200},
        {404, "Cache-Control: max-age=6000", LIFETIME_KNOWN, 300},
        {404, "", LIFETIME_NONE, 0},
    };
    struct policy_settings rules = policy_defaults;

    rules.known = &file;
    expect_lifetimes(of_files, ARRAY_LEN(of_files), &rules);
    rules.known = &document;
    expect_lifetimes(of_documents, ARRAY_LEN(of_documents), &rules);
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
        /* of several the first, which may be no date */
        {200, "Date: @0|Expires: @60|Expires: @3600", LIFETIME_EXPIRES, 60},
        {200, "Date: @0|Expires: 0|Expires: @3600", LIFETIME_EXPIRES, 0},
        {200, "Date: @0|Expires: @60|Expires: 0", LIFETIME_EXPIRES, 60},
        /* years beyond 32 bits */
        {200, "Date: @0|Expires: Tue, 19 Jan 2038 03:14:08 GMT", LIFETIME_EXPIRES, 347483648},
        {200, "Date: @0|Expires: Sat, 20 Nov 2286 17:46:40 GMT", LIFETIME_EXPIRES, 8200000000},
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
        {206, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {300, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {301, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
        {308, "Date: @0|Last-Modified: @-1000", LIFETIME_HEURISTIC, 100},
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
        {302, "Date: @0|Last-Modified: @-1000", LIFETIME_NONE, 0},
        {403, "Date: @0|Last-Modified: @-1000|Cache-Control: public", LIFETIME_NONE, 0},
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
        {"", 0, -60, 0},    /* our clock went back */
        {"", 0, -61, LONG}, /* so far that nothing is known */
        {"Age: 30", 0, -86400, LONG},
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
        head_expect(policy_age(&freshness, NOW + cases[i].resident), cases[i].age, cases[i].fields,
                    "age");
    }
    arena_fini(&arena);
}

Test(policy_freshness, marks)
{
    struct freshness freshness;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    head_freshness(&arena, 200,
                   "Cache-Control: max-age=1, no-cache, immutable, stale-while-revalidate=5, "
                   "stale-if-error=9|ETag: W/\"x\"|Last-Modified: @-10",
                   &policy_defaults, &freshness);
    cr_expect(freshness.no_cache);
    cr_expect(freshness.immutable);
    cr_expect(freshness.has_validator);
    cr_expect(!freshness.must_revalidate);
    cr_expect(!freshness.shareable_with_authorization);
    head_expect(freshness.stale_while_revalidate, 5, "marks", "swr");
    head_expect(freshness.stale_if_error, 9, "marks", "sie");
    head_expect(freshness.last_modified, NOW - 10, "marks", "last-modified");
    head_expect(freshness.response_time, NOW, "marks", "response time");

    head_freshness(&arena, 200, "ETag: *", &policy_defaults, &freshness);
    cr_expect(!freshness.has_validator, "\"*\" is no entity-tag");
    arena_fini(&arena);
}
