/* What a watcher's filters let through. */
#include "base/err.h"
#include "proxy/client/tail.h"

#include <criterion/criterion.h>

struct row {
    struct accesslog_entry entry;
    struct decision decision;
    struct uri uri;
    struct ip client;
};

static void row_init(struct row *row)
{
    *row = (struct row){0};
    cr_assert_eq(ip_parse(SPAN("10.1.2.3"), &row->client), 0);
    row->uri =
        (struct uri){.host = SPAN("www.Example.net"), .port = 8080, .path = SPAN("/img/a.png?x=1")};
    row->decision = (struct decision){
        .outcome = OUTCOME_MISS, .reason = REASON_NOT_STORED, .store_reason = REASON_PRIVATE};
    row->entry = (struct accesslog_entry){.elapsed_us = 250000,
                                          .client = &row->client,
                                          .decision = &row->decision,
                                          .status = 503,
                                          .uri = &row->uri};
}

Test(tail, filters_must_all_hold)
{
    static const struct {
        const char *query;
        bool matches;
    } cases[] = {
        {"", true},
        {"host=www.example.net", true},
        {"host=*.example.net", true},
        {"host=%2A.EXAMPLE.*", true},
        {"host=example.net", false},
        {"host=w?w*t", true},
        {"host=www.example.net:8080", true},
        {"host=WWW.*:8080", true},
        {"host=www.example.net:80", false},
        {"host=*:808", false},
        {"path=/img/*", true},
        {"path=/IMG/*", false},
        {"path=*.png*", true},
        {"path=*a*b*", false},
        {"outcome=miss", true},
        {"outcome=hit", false},
        {"reason=absent", true},
        {"reason=private", true},
        {"reason=fresh", false},
        {"status=503", true},
        {"status=5xx", true},
        {"status=500-502", false},
        {"status=400-599", true},
        {"status=999", false}, /* some origins do say it */
        {"status=0", false},
        {"client=10.0.0.0/8", true},
        {"client=10.1.2.4", false},
        {"slower=250", true},
        {"slower=251", false},
        {"status=5xx&host=*.net&path=/img/*&outcome=miss&slower=1", true},
        {"status=5xx&host=*.net&path=/img/*&outcome=hit&slower=1", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tail_filter filter;
        const char *what = "";
        struct arena arena;
        struct row row;

        row_init(&row);
        arena_init(&arena, NULL, 0);
        cr_expect_eq(tail_filter_parse(span_str(cases[i].query), &arena, &filter, &what), 0, "%s",
                     what);
        cr_expect_eq(tail_matches(&filter, &row.entry), cases[i].matches, "%s", cases[i].query);
        row.entry.uri = NULL; /* a request that nobody understood */
        tail_matches(&filter, &row.entry);
        arena_fini(&arena);
    }
}

Test(tail, an_address_is_matched_as_it_is_shown)
{
    static const char *const patterns[] = {"2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"};

    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct tail_filter filter = {.host = span_str(patterns[i])};
        struct row row;
        row_init(&row);
        row.uri = (struct uri){
            .host = SPAN("2001:db8::1"), .is_ipv6 = true, .port = 443, .path = SPAN("/")};
        cr_expect(tail_matches(&filter, &row.entry), "%s", patterns[i]);
    }
}

Test(tail, what_is_no_filter_is_said)
{
    static const char *const queries[] = {
        "host",       "host=",       "hots=x",     "status=x",     "status=5x",
        "status=9-1", "status=6xx",  "status=0xx", "outcome=luck", "reason=none?",
        "client=x",   "slower=fast", "path=%2",    "path=%zz"};

    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct tail_filter filter;
        const char *what = NULL;
        struct arena arena;

        arena_init(&arena, NULL, 0);
        cr_expect_eq(tail_filter_parse(span_str(queries[i]), &arena, &filter, &what), ERR_SYNTAX);
        cr_expect(what && *what, "%s", queries[i]);
        arena_fini(&arena);
    }
}

Test(tail, a_pattern_of_stars_costs_no_more)
{
    static char host[20000], pattern[2000];
    struct tail_filter filter = {.path = span_of(pattern, sizeof(pattern))};
    struct row row;

    row_init(&row);
    memset(host, 'a', sizeof(host));
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = i % 2 ? 'a' : '*';
    }
    pattern[sizeof(pattern) - 1] = 'b';
    row.uri.path = span_of(host, sizeof(host));
    cr_expect_not(tail_matches(&filter, &row.entry));
}
