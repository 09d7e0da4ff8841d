#include "base/check.h"
#include "base/period.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { DAY = 86400 };

Test(period, days_weeks_and_months)
{
    /* Wednesday 2026-07-15 13:00 UTC; weeks begin on Monday. */
    const int64_t now = 1784120400;
    const int64_t midnight = now - 13 * 3600;

    cr_assert_eq(setenv("TZ", "UTC0", 1), 0);
    tzset();
    const struct period_now *at = period_at(now);
    cr_expect_eq(at->begin[PERIOD_DAY], midnight);
    cr_expect_eq(at->end[PERIOD_DAY], midnight + DAY);
    cr_expect_eq(at->begin[PERIOD_WEEK], midnight - 2 * DAY);
    cr_expect_eq(at->end[PERIOD_WEEK], midnight + 5 * DAY);
    cr_expect_eq(at->begin[PERIOD_MONTH], midnight - 14 * DAY);
    cr_expect_eq(at->end[PERIOD_MONTH], midnight + 17 * DAY);
    cr_expect_eq(period_at(midnight - 1)->end[PERIOD_DAY], midnight, "back, too");
    cr_expect_eq(period_at(midnight + DAY)->begin[PERIOD_DAY], midnight + DAY);
}

Test(period, a_day_may_have_23_hours)
{
    const int64_t noon = 1774778400; /* 2026-03-29 12:00 in Berlin, the day summer time begins */

    cr_assert_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    const struct period_now *at = period_at(noon);
    cr_expect_eq(at->end[PERIOD_DAY] - at->begin[PERIOD_DAY], 23 * 3600);
    cr_expect_eq(at->end[PERIOD_WEEK] - at->begin[PERIOD_WEEK], 7 * DAY - 3600);
    cr_expect_eq(at->begin[PERIOD_WEEK], at->end[PERIOD_DAY] - 7 * DAY + 3600, "it is a Sunday");
}

/* In Havana it is midnight twice when summer time ends; in Santiago it never is when it begins. */
Test(period, a_day_may_have_two_midnights_or_none)
{
    static const struct {
        const char *zone;
        int64_t begin, hours;
    } days[] = {
        {"CST5CDT,M3.2.0/0,M11.1.0/1", 1793505600, 25},      /* 2026-11-01 */
        {"<-04>4<-03>,M9.1.6/24,M4.1.6/24", 1788667200, 23}, /* 2026-09-06 */
    };

    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        int64_t end = days[i].begin + days[i].hours * 3600;
        cr_assert_eq(setenv("TZ", days[i].zone, 1), 0);
        tzset();
        for (int64_t now = days[i].begin - DAY; now < end; now += 600) {
            const struct period_now *at = period_at(now);
            bool before = now < days[i].begin;
            cr_expect_eq(before ? at->end[PERIOD_DAY] : at->begin[PERIOD_DAY], days[i].begin,
                         "%s at %jd", days[i].zone, (intmax_t)now);
            cr_expect(before || at->end[PERIOD_DAY] == end, "%s at %jd", days[i].zone,
                      (intmax_t)now);
        }
    }
}
