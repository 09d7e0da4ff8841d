#include "http/range.h"

#include <criterion/criterion.h>

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

/* "first-last first-last …" */
static void show(const struct byte_ranges *ranges, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ranges->count; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%" PRIu64 "-%" PRIu64, i ? " " : "",
                                 ranges->at[i].first, ranges->at[i].last);
    }
}

Test(range, parses_rfc9110_14_1_2)
{
    static const struct {
        const char *value;
        uint64_t length;
        enum range_result result;
        const char *want;
    } cases[] = {
        {"bytes=0-4", 10, RANGE_OK, "0-4"},
        {"bytes=0-0", 10, RANGE_OK, "0-0"},
        {"bytes=9-9", 10, RANGE_OK, "9-9"},
        {"bytes=5-", 10, RANGE_OK, "5-9"},
        {"bytes=0-", 10, RANGE_OK, "0-9"},
        {"bytes=-3", 10, RANGE_OK, "7-9"},
        {"bytes=-10", 10, RANGE_OK, "0-9"},
        {"bytes=-11", 10, RANGE_OK, "0-9"},
        {"bytes=5-100", 10, RANGE_OK, "5-9"},
        {"Bytes=0-4", 10, RANGE_OK, "0-4"},
        {"bytes=00-04", 10, RANGE_OK, "0-4"},
        {"bytes=0-99999999999999999999999999", 10, RANGE_OK, "0-9"},
        {"bytes=-99999999999999999999999999", 10, RANGE_OK, "0-9"},
        {"bytes=0-18446744073709551615", UINT64_MAX, RANGE_OK, "0-18446744073709551614"},
        {"bytes=18446744073709551614-", UINT64_MAX, RANGE_OK,
         "18446744073709551614-18446744073709551614"},
        /* several */
        {"bytes=0-1,4-5", 10, RANGE_OK, "0-1 4-5"},
        {"bytes=4-5, 0-1", 10, RANGE_OK, "4-5 0-1"},
        {"bytes= ,0-1,, 4-5 ,", 10, RANGE_OK, "0-1 4-5"},
        {"bytes=0-1,20-30", 10, RANGE_OK, "0-1"},
        {"bytes=0-1,-0", 10, RANGE_OK, "0-1"},
        {"bytes=0-4,3-6", 10, RANGE_OK, "0-6"},
        {"bytes=0-1,2-3", 10, RANGE_OK, "0-3"},
        {"bytes=2-3,0-1", 10, RANGE_OK, "0-3"},
        {"bytes=0-1,6-7,3-5", 10, RANGE_OK, "0-1 3-7"},
        {"bytes=0-1,4-5,2-3", 10, RANGE_OK, "0-5"},
        {"bytes=6-7,0-1,4-5,2-3", 10, RANGE_OK, "0-7"},
        {"bytes=10-11,0-1,30-31,12-29", 100, RANGE_OK, "10-31 0-1"},
        {"bytes=0-0,2-2,4-4,1-3,9-9", 10, RANGE_OK, "0-4 9-9"},
        {"bytes=0-4,0-4", 10, RANGE_OK, "0-4"},
        {"bytes=0-0,-1", 10, RANGE_OK, "0-0 9-9"},
        {"bytes=-1,0-0", 10, RANGE_OK, "9-9 0-0"},
        {"bytes=5-6,0-1,20-,-2", 10, RANGE_OK, "5-6 0-1 8-9"},
        {"bytes=0-1,\t4-5\t,\t", 10, RANGE_OK, "0-1 4-5"},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,"
         "30-30",
         100, RANGE_OK,
         "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 26-26 28-28 30-30"},
        /* nothing there */
        {"bytes=10-", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=10-12", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=-0", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=99999999999999999999999999-", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=18446744073709551615-", UINT64_MAX, RANGE_UNSATISFIABLE, ""},
        {"bytes=10-,11-12,-0", 10, RANGE_UNSATISFIABLE, ""},
        {"bytes=0-", 0, RANGE_UNSATISFIABLE, ""},
        {"bytes=0-0", 0, RANGE_UNSATISFIABLE, ""},
        {"bytes=-0", 0, RANGE_UNSATISFIABLE, ""},
        /* as if it were not there */
        {"bytes=-5", 0, RANGE_IGNORE, ""},
        {"bytes=0-,-5", 0, RANGE_IGNORE, ""},
        {"", 10, RANGE_IGNORE, ""},
        {"bytes", 10, RANGE_IGNORE, ""},
        {"bytes=", 10, RANGE_IGNORE, ""},
        {"bytes=,", 10, RANGE_IGNORE, ""},
        {"bytes=-", 10, RANGE_IGNORE, ""},
        {"bytes=5", 10, RANGE_IGNORE, ""},
        {"bytes=5-4", 10, RANGE_IGNORE, ""},
        {"bytes=0-1,5-4", 10, RANGE_IGNORE, ""},
        {"bytes=a-b", 10, RANGE_IGNORE, ""},
        {"bytes=0-1x", 10, RANGE_IGNORE, ""},
        {"bytes=0 - 1", 10, RANGE_IGNORE, ""},
        {"bytes=0-1-2", 10, RANGE_IGNORE, ""},
        {"bytes=--1", 10, RANGE_IGNORE, ""},
        {"bytes=+0-1", 10, RANGE_IGNORE, ""},
        {"bytes =0-1", 10, RANGE_IGNORE, ""},
        {"bytes 0-1", 10, RANGE_IGNORE, ""},
        {"items=0-1", 10, RANGE_IGNORE, ""},
        {"bytes =", 10, RANGE_IGNORE, ""},
        {"=0-1", 10, RANGE_IGNORE, ""},
        {"bytes=0-1;2-3", 10, RANGE_IGNORE, ""},
        {"bytes=\"0-1\"", 10, RANGE_IGNORE, ""},
        {"bytes=1e1-", 10, RANGE_IGNORE, ""},
        {"bytes=0x0-1", 10, RANGE_IGNORE, ""},
        {"bytes=5-4,99999999999999999999-", 10, RANGE_IGNORE, ""},
        /* together longer than the whole */
        {"bytes=0-9,0-9", 10, RANGE_IGNORE, ""},
        {"bytes=0-9,9-9", 10, RANGE_IGNORE, ""},
        {"bytes=0-,1-,2-,3-", 10, RANGE_IGNORE, ""},
        {"bytes=0-18446744073709551614,1-18446744073709551614", UINT64_MAX, RANGE_IGNORE, ""},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,"
         "30-30,32-32",
         100, RANGE_IGNORE, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct byte_ranges ranges;
        char got[256];
        enum range_result result = range_parse(span_str(cases[i].value), cases[i].length, &ranges);
        show(&ranges, got, sizeof(got));
        cr_expect_eq(result, cases[i].result, "%s: %d", cases[i].value, result);
        cr_expect_str_eq(got, cases[i].want, "%s", cases[i].value);
    }
}

/* A set of `count` ranges of one byte, `step` apart. */
static struct span many(size_t count, size_t step, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "bytes=");

    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%zu-%zu", i ? "," : "", i * step,
                                 i * step);
    }
    return span_of(out, used);
}

/* RFC 9110 17.15: a small request is not answered by a large effort. */
Test(range, hostile_sets_rfc9110_17_15)
{
    static const struct {
        const char *what;
        size_t count, step;
        enum range_result result;
        size_t ranges;
    } cases[] = {
        {"as many as are answered", RANGES_MAX, 2, RANGE_OK, RANGES_MAX},
        {"one more", RANGES_MAX + 1, 2, RANGE_IGNORE, 0},
        {"as many as are read, and they touch", RANGE_SPECS_MAX, 1, RANGE_OK, 1},
        {"one more", RANGE_SPECS_MAX + 1, 1, RANGE_IGNORE, 0},
        {"as many as are read, far apart", RANGE_SPECS_MAX, 1000, RANGE_IGNORE, 0},
        {"a thousand that touch", 1000, 1, RANGE_IGNORE, 0},
        {"a thousand far apart", 1000, 1000, RANGE_IGNORE, 0},
    };
    char text[16384];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct byte_ranges ranges;
        struct span value = many(cases[i].count, cases[i].step, text, sizeof(text));
        cr_expect_eq(range_parse(value, 1000000, &ranges), cases[i].result, "%s", cases[i].what);
        cr_expect_eq(ranges.count, cases[i].ranges, "%s", cases[i].what);
    }
}

Test(range, of_the_2011_kind_is_ignored)
{
    struct byte_ranges ranges;
    char text[16384];
    size_t used = (size_t)snprintf(text, sizeof(text), "bytes=0-");

    for (int i = 0; i < 1300; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, ",5-%d", i);
    }
    cr_expect_eq(range_parse(span_of(text, used), 1000000, &ranges), RANGE_IGNORE);
}

/* Every order of joining ends in the same: all touch one another through the last. */
Test(range, what_is_joined_last_may_join_all)
{
    struct byte_ranges ranges;
    char text[1024];
    size_t used = many(RANGE_SPECS_MAX / 2, 2, text, sizeof(text)).len;

    for (size_t i = 0; i < RANGE_SPECS_MAX / 2; i++) {
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, ",%zu-%zu", 2 * i + 1, 2 * i + 1);
    }
    cr_expect_eq(range_parse(span_of(text, used), 64, &ranges), RANGE_OK);
    cr_expect_eq(ranges.count, 1);
    cr_expect_eq(ranges.at[0].first, 0);
    cr_expect_eq(ranges.at[0].last, RANGE_SPECS_MAX - 1);
}

Test(range, without_a_length_rfc9110_14_1_1)
{
    static const struct {
        const char *value;
        enum range_form form;
        uint64_t first, last;
        const char *again;
    } cases[] = {
        {"bytes=0-4", RANGE_FORM_CLOSED, 0, 4, "bytes=0-4"},
        {"BYTES= 007-0010 ,", RANGE_FORM_CLOSED, 7, 10, "bytes=7-10"},
        {"bytes=5-", RANGE_FORM_OPEN, 5, 0, "bytes=5-"},
        {"bytes=-5", RANGE_FORM_SUFFIX, 0, 5, "bytes=-5"},
        {"bytes=-0", RANGE_FORM_SUFFIX, 0, 0, "bytes=-0"},
        {"bytes=0-99999999999999999999", RANGE_FORM_CLOSED, 0, UINT64_MAX,
         "bytes=0-18446744073709551615"},
        {"bytes=0-1,3-4", RANGE_FORM_SEVERAL, 0, 0, NULL},
        {"bytes=0-1,-1", RANGE_FORM_SEVERAL, 0, 0, NULL},
        {"bytes=0-1,4-3", RANGE_FORM_NONE, 0, 0, NULL},
        {"bytes=4-3", RANGE_FORM_NONE, 0, 0, NULL},
        {"bytes=", RANGE_FORM_NONE, 0, 0, NULL},
        {"bytes=-", RANGE_FORM_NONE, 0, 0, NULL},
        {"", RANGE_FORM_NONE, 0, 0, NULL},
        {"lines=0-4", RANGE_FORM_NONE, 0, 0, NULL},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct range_wish wish = range_read(span_str(cases[i].value));
        cr_expect_eq(wish.form, cases[i].form, "%s: %d", cases[i].value, wish.form);
        cr_expect_eq(wish.first, cases[i].first, "%s", cases[i].value);
        cr_expect_eq(wish.last, cases[i].last, "%s", cases[i].value);
        if (cases[i].again) {
            struct span again = range_format(&wish, &arena);
            cr_expect(span_eq(again, span_str(cases[i].again)), "%.*s", SPAN_ARGS(again));
        }
    }
    arena_fini(&arena);
}

Test(range, content_range_rfc9110_14_4)
{
    static const struct {
        const char *value;
        bool ok, unsatisfied;
        uint64_t first, last;
        int64_t length;
    } cases[] = {
        {"bytes 0-4/10", true, false, 0, 4, 10},
        {"bytes 0-9/10", true, false, 0, 9, 10},
        {"BYTES 0-4/*", true, false, 0, 4, -1},
        {"bytes */10", true, true, 0, 0, 10},
        {"bytes */0", true, true, 0, 0, 0},
        {"bytes 0-9223372036854775806/9223372036854775807", true, false, 0,
         UINT64_C(9223372036854775806), INT64_MAX},
        {"", false, false, 0, 0, 0},
        {"bytes", false, false, 0, 0, 0},
        {"bytes 0-10/10", false, false, 0, 0, 0},
        {"bytes 4-0/10", false, false, 0, 0, 0},
        {"bytes 0-4", false, false, 0, 0, 0},
        {"bytes 0-4/", false, false, 0, 0, 0},
        {"bytes 0-/10", false, false, 0, 0, 0},
        {"bytes -4/10", false, false, 0, 0, 0},
        {"bytes */*", false, false, 0, 0, 0},
        {"bytes *", false, false, 0, 0, 0},
        {"bytes=0-4/10", false, false, 0, 0, 0},
        {"bytes 00-04/010", true, false, 0, 4, 10},
        {" bytes 0-4/10", false, false, 0, 0, 0},
        {"bytes\t0-4/10", false, false, 0, 0, 0},
        {"bytes 0 - 4/10", false, false, 0, 0, 0},
        {"bytes 0-4 /10", false, false, 0, 0, 0},
        {"bytes 0-4/ 10", false, false, 0, 0, 0},
        {"bytes 0-4/-1", false, false, 0, 0, 0},
        {"bytes 0-4/**", false, false, 0, 0, 0},
        {"bytes 0-4,6-7/10", false, false, 0, 0, 0},
        {"bytes */9223372036854775808", false, false, 0, 0, 0},
        {"bytes 0-0/0", false, false, 0, 0, 0},
        {"bytes 18446744073709551616-18446744073709551616/*", false, false, 0, 0, 0},
        {"bytes  0-4/10", false, false, 0, 0, 0},
        {"bytes 0-4/10x", false, false, 0, 0, 0},
        {"bytes 0-4/+10", false, false, 0, 0, 0},
        {"items 0-4/10", false, false, 0, 0, 0},
        {"bytes 0-4/9223372036854775808", false, false, 0, 0, 0},
        {"bytes 0-18446744073709551616/*", false, false, 0, 0, 0},
        {"bytes 0-9223372036854775807/*", false, false, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct byte_range range;
        int64_t length = 0;
        bool unsatisfied;
        bool ok = content_range_parse(span_str(cases[i].value), &range, &length, &unsatisfied);
        cr_expect_eq(ok, cases[i].ok, "%s", cases[i].value);
        if (!ok || !cases[i].ok) {
            continue;
        }
        cr_expect_eq(unsatisfied, cases[i].unsatisfied, "%s", cases[i].value);
        cr_expect_eq(range.first, cases[i].first, "%s", cases[i].value);
        cr_expect_eq(range.last, cases[i].last, "%s", cases[i].value);
        cr_expect_eq(length, cases[i].length, "%s", cases[i].value);
    }
}

Test(range, content_range_is_written_as_it_is_read)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    cr_expect(
        span_eq(content_range_format((struct byte_range){0, 4}, 10, &arena), SPAN("bytes 0-4/10")));
    cr_expect(
        span_eq(content_range_format((struct byte_range){7, 7}, -1, &arena), SPAN("bytes 7-7/*")));
    cr_expect(span_eq(
        content_range_format((struct byte_range){UINT64_MAX, UINT64_MAX}, INT64_MAX, &arena),
        SPAN("bytes 18446744073709551615-18446744073709551615/9223372036854775807")));
    cr_expect(span_eq(content_range_unsatisfied(0, &arena), SPAN("bytes */0")));
    cr_expect(span_eq(content_range_unsatisfied(UINT64_MAX, &arena),
                      SPAN("bytes */18446744073709551615")));
    arena_fini(&arena);
}
