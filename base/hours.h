/*
 * hours - times of the week: "mon-fri 08:00-18:00". Pure, except for the time zone of the system.
 *
 *   mon-fri 08:00-18:00       sat,sun               22:00-06:00 (past midnight, on any day)
 *
 * Days come before times; either may be left out. A time past midnight belongs to the day on which
 * it begins. "24:00" is the end of a day.
 */
#ifndef LARDER_BASE_HOURS_H
#define LARDER_BASE_HOURS_H

#include "base/span.h"

enum { HOURS_DAY = 24 * 60, HOURS_WEEK = 7 * HOURS_DAY }; /* minutes */

struct hours {
    uint8_t days;      /* bit 0: Monday */
    uint16_t from, to; /* minutes of the day, `to` exclusive; to < from: past midnight */
};

/* ERR_SYNTAX, with *what a clause such as "there is no such day". */
int hours_parse(struct span text, struct hours *out, const char **what);

/* Does it include this minute of the week (0: Monday, 00:00)? */
bool hours_has(const struct hours *hours, unsigned minute);

/* The minute of the week at `now` (seconds since 1970) in the system's time zone. Cached per
 * thread. */
unsigned hours_minute(int64_t now);

#endif
