/*
 * period - days, weeks and months by the clock of this machine: which one it is, and when it ends.
 * Pure, but for the time zone of the system.
 */
#ifndef LARDER_BASE_PERIOD_H
#define LARDER_BASE_PERIOD_H

#include <stdint.h>

enum period { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIODS };

struct period_now {
    int64_t begin[PERIODS]; /* seconds since 1970 */
    int64_t end[PERIODS];
};

/* Weeks begin on Monday. The calling thread remembers the last day: cheap when asked often. */
const struct period_now *period_at(int64_t now);

#endif
