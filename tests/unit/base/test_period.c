#include "base/check.h"
#include "base/period.h"

#include <criterion/criterion.h>
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
