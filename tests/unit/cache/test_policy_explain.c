#include "heads.h"

#include "base/check.h"
#include "cache/policy_explain.h"

#include <criterion/criterion.h>

static const struct span targeted[] = {SPAN_INIT("CDN-Cache-Control")};

/* Stored two seconds after it was asked for, looked at 10 seconds later. */
Test(policy_explain, rfc9111_4_2_every_number_adds_up)
{
    static const struct {
        const char *fields;
        int64_t age_field, transit;
        bool dated;
        enum lifetime_source source;
        const char *field, *directive;
        int64_t lifetime, expires, last_modified;
        int percent;
        bool capped;
    } cases[] = {
        {"", 0, 2, false, LIFETIME_NONE, "", "", 0, -1, -1, 0, false},
        {"Cache-Control: max-age=60", 0, 2, false, LIFETIME_MAX_AGE, "Cache-Control", "max-age", 60,
         -1, -1, 0, false},
        {"Cache-Control: max-age=60, s-maxage=5|Age: 7", 7, 2, false, LIFETIME_S_MAXAGE,
         "Cache-Control", "s-maxage", 5, -1, -1, 0, false},
        {"Cache-Control: max-age=60|Age: x", 0, 2, false, LIFETIME_MAX_AGE, "Cache-Control",
         "max-age", 60, -1, -1, 0, false},
        {"CDN-Cache-Control: max-age=9|Cache-Control: max-age=60", 0, 2, false, LIFETIME_TARGETED,
         "CDN-Cache-Control", "max-age", 9, -1, -1, 0, false},
        {"Date: @-5|Expires: @+25", 0, 2, false, LIFETIME_EXPIRES, "Expires", "", 30, NOW + 25, -1,
         0, false},
        {"Date: @+0|Expires: 0", 0, 2, false, LIFETIME_EXPIRES, "Expires", "", 0, -1, -1, 0, false},
        {"Date: @+0|Last-Modified: @-1000", 0, 2, false, LIFETIME_HEURISTIC, "Last-Modified", "",
         100, -1, NOW - 1000, 10, false},
        {"Date: @+0|Last-Modified: @-100000000", 0, 2, false, LIFETIME_HEURISTIC, "Last-Modified",
         "", 7 * 24 * 3600, -1, NOW - 100000000, 0, true},
        {"Date: @-90|Via: 1.0 old|Cache-Control: max-age=60", 0, 90, true, LIFETIME_MAX_AGE,
         "Cache-Control", "max-age", 60, -1, -1, 0, false},
    };
    struct policy_settings settings = policy_defaults;
    struct arena arena;

    settings.targeted = targeted;
    settings.targeted_count = ARRAY_LEN(targeted);
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *what = cases[i].fields;
        struct policy_times times = {.request = NOW - 2, .response = NOW};
        struct http_head head;
        struct freshness freshness;
        struct policy_account account;
        head_response(&head, &arena, 200, what);
        policy_freshness(&head, times, &settings, &freshness);
        policy_explain(&head, &freshness, &settings, NOW + 10, &account);
        cr_expect_eq(account.age_field, cases[i].age_field, "%s", what);
        cr_expect_eq(account.transit, cases[i].transit, "%s", what);
        cr_expect_eq(account.transit_dated, cases[i].dated, "%s", what);
        cr_expect_eq(account.resident, 10, "%s", what);
        cr_expect_eq(account.age, policy_age(&freshness, NOW + 10), "%s", what);
        cr_expect_eq(account.age, account.age_field + account.transit + account.resident);
        cr_expect_eq(account.source, cases[i].source, "%s", what);
        cr_expect(span_eq(account.field, span_str(cases[i].field)), "%s", what);
        cr_expect(span_eq(account.directive, span_str(cases[i].directive)), "%s", what);
        cr_expect_eq(account.lifetime, cases[i].lifetime, "%s", what);
        cr_expect_eq(account.expires, cases[i].expires, "%s", what);
        cr_expect_eq(account.last_modified, cases[i].last_modified, "%s", what);
        cr_expect_eq(account.percent, cases[i].percent, "%s", what);
        cr_expect_eq(account.capped, cases[i].capped, "%s", what);
        cr_expect_eq(account.remaining, account.lifetime - account.age, "%s", what);
    }
    arena_fini(&arena);
}

Test(policy_explain, a_rule_that_has_changed_since_is_not_told)
{
    struct policy_settings settings = policy_defaults;
    struct policy_times times = {.request = NOW, .response = NOW};
    struct arena arena;
    struct http_head head;
    struct freshness freshness;
    struct policy_account account;

    arena_init(&arena, NULL, 0);
    head_response(&head, &arena, 200, "Date: @+0|Last-Modified: @-1000");
    policy_freshness(&head, times, &settings, &freshness);
    settings.heuristic_percent = 50;
    policy_explain(&head, &freshness, &settings, NOW, &account);
    cr_expect_eq(account.lifetime, 100);
    cr_expect_eq(account.percent, 0);
    arena_fini(&arena);
}
