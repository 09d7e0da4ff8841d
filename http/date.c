#include "http/date.h"

#include "base/check.h"
#include "http/put.h"

enum { DAY = 86400, YEAR_MAX = 9999, FUTURE_YEARS = 50 };

static const struct span month_names[] = {
    SPAN_INIT("Jan"), SPAN_INIT("Feb"), SPAN_INIT("Mar"), SPAN_INIT("Apr"),
    SPAN_INIT("May"), SPAN_INIT("Jun"), SPAN_INIT("Jul"), SPAN_INIT("Aug"),
    SPAN_INIT("Sep"), SPAN_INIT("Oct"), SPAN_INIT("Nov"), SPAN_INIT("Dec"),
};

static const struct span day_names[] = {
    SPAN_INIT("Sunday"),   SPAN_INIT("Monday"), SPAN_INIT("Tuesday"),  SPAN_INIT("Wednesday"),
    SPAN_INIT("Thursday"), SPAN_INIT("Friday"), SPAN_INIT("Saturday"),
};

enum { DAY_SHORT = 3 };

/* The text being read, with a sticky error: read all parts, then check once. */
struct cursor {
    struct span rest;
    bool bad;
};

struct civil {
    int64_t year;  /* 1970 … */
    int64_t month; /* 1..12 */
    int64_t day;
    int64_t hour, minute, second;
};

static void expect(struct cursor *cursor, struct span text)
{
    cursor->bad |= !span_ieq(span_take(cursor->rest, text.len), text);
    cursor->rest = span_skip(cursor->rest, text.len);
}

static int64_t read_number(struct cursor *cursor, size_t digits)
{
    uint64_t value = 0;

    cursor->bad |= cursor->rest.len < digits ||
                   !span_to_u64(span_take(cursor->rest, digits), YEAR_MAX, &value);
    cursor->rest = span_skip(cursor->rest, digits);
    return (int64_t)value;
}

static void read_time(struct cursor *cursor, struct civil *civil)
{
    civil->hour = read_number(cursor, 2);
    expect(cursor, SPAN(":"));
    civil->minute = read_number(cursor, 2);
    expect(cursor, SPAN(":"));
    civil->second = read_number(cursor, 2);
}

static void read_month(struct cursor *cursor, struct civil *civil)
{
    struct span text = span_take(cursor->rest, DAY_SHORT);

    for (size_t i = 0; i < ARRAY_LEN(month_names); i++) {
        if (span_ieq(text, month_names[i])) {
            civil->month = (int64_t)i + 1;
        }
    }
    cursor->rest = span_skip(cursor->rest, text.len);
}

/* Skips a day name, long or of three letters. Whether it is the right day is not checked, as
 * senders get it wrong. */
static void read_day_name(struct cursor *cursor, bool is_long)
{
    for (size_t i = 0; i < ARRAY_LEN(day_names); i++) {
        struct span name = is_long ? day_names[i] : span_take(day_names[i], DAY_SHORT);
        if (span_ieq(span_take(cursor->rest, name.len), name)) {
            cursor->rest = span_skip(cursor->rest, name.len);
            return;
        }
    }
    cursor->bad = true;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static bool civil_is_valid(const struct civil *c)
{
    return c->month >= 1 && c->day >= 1 && c->day <= days_in_month(c->year, c->month) &&
           c->hour <= 23 && c->minute <= 59 && c->second <= 60; /* 60: a leap second */
}

/* Days since 1 March of the year 0. Years begin in March, so that the leap day is the last day of a
 * year, and are grouped into eras of 400 years, which all have the same number of days. */
enum { ERA_YEARS = 400, ERA_DAYS = 146097, EPOCH_DAYS = 719468 };

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = y - era * ERA_YEARS;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static void civil_from_days(int64_t days, struct civil *out)
{
    int64_t z = days + EPOCH_DAYS;
    int64_t era = z / ERA_DAYS;
    int64_t day_of_era = z % ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;

    out->day = day_of_year - (153 * march_month + 2) / 5 + 1;
    out->month = march_month < 10 ? march_month + 3 : march_month - 9;
    out->year = year_of_era + era * ERA_YEARS + (out->month <= 2);
}

static int64_t to_seconds(const struct civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * DAY + c->hour * 3600 + c->minute * 60 +
           c->second;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static void read_imf(struct cursor *cursor, struct civil *civil)
{
    read_day_name(cursor, false);
    expect(cursor, SPAN(", "));
    civil->day = read_number(cursor, 2);
    expect(cursor, SPAN(" "));
    read_month(cursor, civil);
    expect(cursor, SPAN(" "));
    civil->year = read_number(cursor, 4);
    expect(cursor, SPAN(" "));
    read_time(cursor, civil);
    expect(cursor, SPAN(" GMT"));
}

/* ---- the usual form, by position ---- */

/* Three letters as one number, to compare them at once. */
#define LETTERS(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

static uint32_t letters_at(const char *at)
{
    return LETTERS((unsigned char)at[0], (unsigned char)at[1], (unsigned char)at[2]);
}

/* The index of the word; `count` if it is none of them. */
static size_t find_word(const uint32_t *words, size_t count, uint32_t word)
{
    size_t i = 0;

    while (i < count && words[i] != word) {
        i++;
    }
    return i;
}

static int64_t digits_at(const char *at, size_t count, bool *bad)
{
    unsigned value = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned char)at[i] - '0';
        *bad |= digit > 9;
        value = value * 10 + digit;
    }
    return value;
}

static bool has_separators(const char *at)
{
    return at[3] == ',' && at[4] == ' ' && at[7] == ' ' && at[11] == ' ' && at[16] == ' ' &&
           at[19] == ':' && at[22] == ':' && memcmp(at + 25, " GMT", 4) == 0;
}

/* Reads a date of exactly the preferred form by fixed positions, which is faster than read_imf().
 * False: it has another form, which may still be a date. */
static bool read_exact(struct span text, struct civil *civil)
{
    static const uint32_t days[] = {LETTERS('S', 'u', 'n'), LETTERS('M', 'o', 'n'),
                                    LETTERS('T', 'u', 'e'), LETTERS('W', 'e', 'd'),
                                    LETTERS('T', 'h', 'u'), LETTERS('F', 'r', 'i'),
                                    LETTERS('S', 'a', 't')};
    static const uint32_t months[] = {
        LETTERS('J', 'a', 'n'), LETTERS('F', 'e', 'b'), LETTERS('M', 'a', 'r'),
        LETTERS('A', 'p', 'r'), LETTERS('M', 'a', 'y'), LETTERS('J', 'u', 'n'),
        LETTERS('J', 'u', 'l'), LETTERS('A', 'u', 'g'), LETTERS('S', 'e', 'p'),
        LETTERS('O', 'c', 't'), LETTERS('N', 'o', 'v'), LETTERS('D', 'e', 'c')};
    const char *at = text.at;
    bool bad = false;

    if (text.len != DATE_LEN || !has_separators(at) ||
        find_word(days, ARRAY_LEN(days), letters_at(at)) == ARRAY_LEN(days)) {
        return false;
    }
    size_t month = find_word(months, ARRAY_LEN(months), letters_at(at + 8));
    civil->day = digits_at(at + 5, 2, &bad);
    civil->month = (int64_t)month + 1;
    civil->year = digits_at(at + 12, 4, &bad);
    civil->hour = digits_at(at + 17, 2, &bad);
    civil->minute = digits_at(at + 20, 2, &bad);
    civil->second = digits_at(at + 23, 2, &bad);
    return !bad && month < ARRAY_LEN(months);
}

/* Sunday, 06-Nov-94 08:49:37 GMT. Leaves the year as 0 to 99. */
static void read_rfc850(struct cursor *cursor, struct civil *civil)
{
    read_day_name(cursor, true);
    expect(cursor, SPAN(", "));
    civil->day = read_number(cursor, 2);
    expect(cursor, SPAN("-"));
    read_month(cursor, civil);
    expect(cursor, SPAN("-"));
    civil->year = read_number(cursor, 2);
    expect(cursor, SPAN(" "));
    read_time(cursor, civil);
    expect(cursor, SPAN(" GMT"));
}

/* Sun Nov  6 08:49:37 1994 */
static void read_asctime(struct cursor *cursor, struct civil *civil)
{
    read_day_name(cursor, false);
    expect(cursor, SPAN(" "));
    read_month(cursor, civil);
    expect(cursor, SPAN(" "));
    if (span_starts(cursor->rest, SPAN(" "))) {
        expect(cursor, SPAN(" "));
        civil->day = read_number(cursor, 1);
    } else {
        civil->day = read_number(cursor, 2);
    }
    expect(cursor, SPAN(" "));
    read_time(cursor, civil);
    expect(cursor, SPAN(" "));
    civil->year = read_number(cursor, 4);
}

/* Moves a two-digit year to the latest century in which it is not more than 50 years ahead (RFC
 * 9110 5.6.7). */
static void place_in_century(struct civil *civil, int64_t now)
{
    struct civil ahead = {0};

    civil_from_days(now / DAY, &ahead);
    civil->year += ahead.year - ahead.year % 100 + 100;
    ahead.year += FUTURE_YEARS;
    while (to_seconds(civil) > to_seconds(&ahead) + now % DAY) {
        civil->year -= 100;
    }
}

static int64_t seconds_of(const struct civil *civil)
{
    if (!civil_is_valid(civil)) {
        return -1;
    }
    int64_t seconds = to_seconds(civil);
    return seconds < 0 ? 0 : seconds;
}

/* Parses any of the three forms, ignoring the case of letters. */
static int64_t parse_any(struct span text, int64_t now)
{
    struct cursor cursor = {.rest = text};
    struct civil civil = {0};
    size_t comma = span_find(text, ',');
    bool two_digits = comma < text.len && comma != DAY_SHORT;

    if (comma == DAY_SHORT) {
        read_imf(&cursor, &civil);
    } else if (two_digits) {
        read_rfc850(&cursor, &civil);
    } else {
        read_asctime(&cursor, &civil);
    }
    if (cursor.bad || cursor.rest.len || civil.month == 0) {
        return -1;
    }
    if (two_digits) {
        place_in_century(&civil, now < 0 ? 0 : now);
    }
    return seconds_of(&civil);
}

int64_t date_parse(struct span text, int64_t now)
{
    struct civil civil = {0};

    return read_exact(text, &civil) ? seconds_of(&civil) : parse_any(text, now);
}

static void put_name(char *at, struct span name)
{
    memcpy(at, name.at, DAY_SHORT);
}

void date_format(int64_t when, char out[DATE_LEN])
{
    const int64_t last = 253402300799; /* the end of the year 9999 */
    struct civil civil;

    when = when < 0 ? 0 : when > last ? last : when;
    civil_from_days(when / DAY, &civil);
    put_span(out, SPAN("day, 00 mon 0000 00:00:00 GMT"));
    put_name(out, day_names[(when / DAY + 4) % 7]); /* 1 January 1970 was a Thursday */
    put_digits(out + 5, (uint64_t)civil.day, 2);
    put_name(out + 8, month_names[civil.month - 1]);
    put_digits(out + 12, (uint64_t)civil.year, 4);
    put_digits(out + 17, (uint64_t)when % DAY / 3600, 2);
    put_digits(out + 20, (uint64_t)when % 3600 / 60, 2);
    put_digits(out + 23, (uint64_t)when % 60, 2);
}
