#include "base/check.h"
#include "base/err.h"
#include "base/hours.h"

#include <criterion/criterion.h>
#include <time.h>

static unsigned at(unsigned day, unsigned hour, unsigned minute)
{
    return day * HOURS_DAY + hour * 60 + minute;
}

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

Test(hours, windows)
{
    const struct {
        const char *text;
        unsigned minute;
        bool has;
    } cases[] = {
        {"mon-fri 08:00-18:00", at(MON, 8, 0), true},
        {"mon-fri 08:00-18:00", at(MON, 7, 59), false},
        {"mon-fri 08:00-18:00", at(FRI, 17, 59), true},
        {"mon-fri 08:00-18:00", at(FRI, 18, 0), false},
        {"mon-fri 08:00-18:00", at(SAT, 12, 0), false},
        {"MON,wed 8:00-9:00", at(WED, 8, 30), true},
        {"MON,wed 8:00-9:00", at(TUE, 8, 30), false},
        {"sat,sun", at(SUN, 23, 59), true},
        {"sat,sun", at(MON, 0, 0), false},
        {"fri-mon", at(SUN, 1, 0), true},
        {"fri-mon", at(TUE, 0, 0), false},
        {"22:00-06:00", at(WED, 23, 0), true},
        {"22:00-06:00", at(WED, 5, 59), true},
        {"22:00-06:00", at(WED, 6, 0), false},
        {"fri 22:00-06:00", at(FRI, 22, 0), true},
        {"fri 22:00-06:00", at(SAT, 5, 0), true},
        {"fri 22:00-06:00", at(FRI, 5, 0), false},
        {"sun 22:00-06:00", at(MON, 5, 0), true},
        {"00:00-24:00", at(MON, 0, 0), true},
        {"18:00-24:00", at(SUN, 23, 59), true},
        {"18:00-24:00", at(MON, 0, 0), false},
        {"18:00-00:00", at(SUN, 23, 59), true},
        {"18:00-00:00", at(MON, 0, 0), false},
        {"  mon   08:00-09:00 ", at(MON, 8, 0), true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hours hours;
        const char *what = NULL;
        cr_assert_eq(hours_parse(span_str(cases[i].text), &hours, &what), 0, "%s: %s",
                     cases[i].text, what);
        cr_expect_eq(hours_has(&hours, cases[i].minute), cases[i].has, "%s %u", cases[i].text,
                     cases[i].minute);
    }
}

Test(hours, what_is_none)
{
    static const char *const texts[] = {
        "",
        " ",
        "mo",
        "mon-",
        "mon-xyz",
        "mon,,",
        "8:00",
        "8-9",
        "08:00-25:00",
        "24:01-08:00",
        "08:60-09:00",
        "08:00-08:00",
        "24:00-24:00",
        "24:00-08:00",
        "mon 8",
        "08:00-18:00 mon",
        "008:00-09:00",
        "-",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct hours hours;
        const char *what = NULL;
        cr_expect_eq(hours_parse(span_str(texts[i]), &hours, &what), ERR_SYNTAX, "\"%s\"",
                     texts[i]);
        cr_expect_not_null(what, "\"%s\"", texts[i]);
    }
}

Test(hours, the_minute_of_the_week_is_local)
{
    cr_assert_eq(setenv("TZ", "UTC-2", 1), 0); /* two hours east */
    tzset();
    cr_expect_eq(hours_minute(0), at(THU, 2, 0)); /* 1970-01-01 */
    cr_expect_eq(hours_minute(59), at(THU, 2, 0));
    cr_expect_eq(hours_minute(60), at(THU, 2, 1));
    cr_expect_eq(hours_minute(3 * 86400 + 22 * 3600), at(MON, 0, 0));
    cr_expect_eq(hours_minute(3 * 86400 + 22 * 3600 - 1), at(SUN, 23, 59));
}

/* The clock on the wall counts: one hour is skipped in spring, one comes twice in autumn. */
Test(hours, clocks_that_change)
{
    enum { SPRING = 1774746000, AUTUMN = 1792890000 }; /* 01:00 UTC, 2026-03-29 and 2026-10-25 */

    cr_assert_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    cr_expect_eq(hours_minute(SPRING - 1), at(SUN, 1, 59));
    cr_expect_eq(hours_minute(SPRING), at(SUN, 3, 0));
    cr_expect_eq(hours_minute(AUTUMN - 3600), at(SUN, 2, 0));
    cr_expect_eq(hours_minute(AUTUMN - 1), at(SUN, 2, 59));
    cr_expect_eq(hours_minute(AUTUMN), at(SUN, 2, 0));
    cr_expect_eq(hours_minute(AUTUMN + 3600), at(SUN, 3, 0));
}
