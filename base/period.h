/*
 * period - the current day, week and month by the clock of this machine. Pure, except for the
 * system's time zone.
 */
#ifndef LARDER_BASE_PERIOD_H
#define LARDER_BASE_PERIOD_H

#include <stdint.h>

enum period { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIODS };

struct period_now {
    int64_t begin[PERIODS]; /* seconds since 1970 */
    int64_t end[PERIODS];
};

/* Weeks begin on Monday. Cached per thread. */
const struct period_now *period_at(int64_t now);

#endif
