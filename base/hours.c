#include "base/hours.h"

#include "base/check.h"
#include "base/err.h"

#include <time.h>

static const struct span day_words[] = {SPAN_INIT("mon"), SPAN_INIT("tue"), SPAN_INIT("wed"),
                                        SPAN_INIT("thu"), SPAN_INIT("fri"), SPAN_INIT("sat"),
                                        SPAN_INIT("sun")};
enum { DAYS = 7, ALL_DAYS = 0x7f };

/* ---- reading ---- */

static int refuse(const char **what, const char *why)
{
    *what = why;
    return ERR_SYNTAX;
}

/* 0 for Monday; DAYS: the word is not a day. */
static unsigned day_of(struct span word)
{
    unsigned day = 0;

    while (day < DAYS && !span_ieq(word, day_words[day])) {
        day++;
    }
    return day;
}

/* "mon-fri" or "sat"; "fri-mon" continues past the end of the week. */
static int read_days(struct span text, uint8_t *days)
{
    while (text.len) {
        struct span range = span_cut(&text, ',');
        struct span last = range;
        struct span first = span_cut(&last, '-');
        unsigned from = day_of(first);
        unsigned to = first.len < range.len ? day_of(last) : from;
        if (from == DAYS || to == DAYS) {
            return ERR_SYNTAX;
        }
        for (unsigned day = from;; day = (day + 1) % DAYS) {
            *days |= (uint8_t)(1u << day);
            if (day == to) {
                break;
            }
        }
    }
    return *days ? 0 : ERR_SYNTAX;
}

static int read_minute(struct span text, uint16_t *out)
{
    struct span minutes = text;
    struct span hours = span_cut(&minutes, ':');
    uint64_t hour, minute;

    if (hours.len > 2 || minutes.len != 2 || !span_to_u64(hours, 24, &hour) ||
        !span_to_u64(minutes, 59, &minute) || hour * 60 + minute > HOURS_DAY) {
        return ERR_SYNTAX;
    }
    *out = (uint16_t)(hour * 60 + minute);
    return 0;
}

static int read_times(struct span text, struct hours *out)
{
    struct span to = text;
    struct span from = span_cut(&to, '-');

    return read_minute(from, &out->from) || read_minute(to, &out->to) ? ERR_SYNTAX : 0;
}

int hours_parse(struct span text, struct hours *out, const char **what)
{
    struct span times = span_trim(text);
    bool has_days = times.len && !ascii_is_digit(times.at[0]);
    struct span days = has_days ? span_cut(&times, ' ') : SPAN_EMPTY;

    *out = (struct hours){.days = has_days ? 0 : ALL_DAYS, .from = 0, .to = HOURS_DAY};
    times = span_trim(times);
    if (!has_days && times.len == 0) {
        return refuse(what, "it is empty");
    }
    if (has_days && read_days(days, &out->days) != 0) {
        return refuse(what, "there is no such day");
    }
    if (times.len && read_times(times, out) != 0) {
        return refuse(what, "there is no such time");
    }
    if (out->from == out->to || out->from == HOURS_DAY) {
        return refuse(what, "it ends where it begins");
    }
    return 0;
}

/* ---- looking ---- */

static bool is_on(const struct hours *hours, unsigned day)
{
    return hours->days >> day & 1;
}

bool hours_has(const struct hours *hours, unsigned minute)
{
    unsigned day = minute / HOURS_DAY, at = minute % HOURS_DAY;

    CHECK(minute < HOURS_WEEK);
    if (hours->from < hours->to) {
        return is_on(hours, day) && at >= hours->from && at < hours->to;
    }
    return (is_on(hours, day) && at >= hours->from) ||
           (is_on(hours, (day + DAYS - 1) % DAYS) && at < hours->to);
}

/* The result is cached because localtime_r() takes a lock of the whole process. */
unsigned hours_minute(int64_t now)
{
    static _Thread_local int64_t last = INT64_MIN;
    static _Thread_local unsigned minute;
    time_t seconds = (time_t)now;
    struct tm tm;

    if (now / 60 == last) {
        return minute;
    }
    last = now / 60;
    minute = 0;
    if (localtime_r(&seconds, &tm)) {
        unsigned day = (unsigned)(tm.tm_wday + DAYS - 1) % DAYS;
        minute = day * HOURS_DAY + (unsigned)(tm.tm_hour * 60 + tm.tm_min);
    }
    return minute;
}
