#include "base/period.h"

#include <stdbool.h>
#include <time.h>

/* Midnight at the beginning of that day; mktime() normalises days and months. Where clocks are put
 * back at 01:00 local midnight occurs twice and mktime() may return either; the day begins with the
 * first one, which is in summer time. */
static int64_t midnight(const struct tm *today, int days, int months, bool first)
{
    const struct tm tm = {
        .tm_year = today->tm_year,
        .tm_mon = today->tm_mon + months,
        .tm_mday = first ? 1 : today->tm_mday + days,
        .tm_isdst = -1,
    };
    struct tm any = tm, summer = tm;

    summer.tm_isdst = 1;
    int64_t at = mktime(&any), earlier = mktime(&summer);
    bool twice = summer.tm_mday == any.tm_mday && summer.tm_hour == 0 && summer.tm_min == 0;
    return twice && earlier < at ? earlier : at;
}

const struct period_now *period_at(int64_t now)
{
    static _Thread_local struct period_now known;
    time_t seconds = (time_t)now;
    struct tm tm;

    if (now >= known.begin[PERIOD_DAY] && now < known.end[PERIOD_DAY]) {
        return &known;
    }
    if (localtime_r(&seconds, &tm) == NULL) {
        return &known;
    }
    int weekday = (tm.tm_wday + 6) % 7; /* 0: Monday */
    known = (struct period_now){
        .begin = {midnight(&tm, 0, 0, false), midnight(&tm, -weekday, 0, false),
                  midnight(&tm, 0, 0, true)},
        .end = {midnight(&tm, 1, 0, false), midnight(&tm, 7 - weekday, 0, false),
                midnight(&tm, 0, 1, true)},
    };
    return &known;
}
