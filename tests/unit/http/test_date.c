#include "http/date.h"

#include <criterion/criterion.h>

#include "base/check.h"

#include <time.h>

#define NOW INT64_C(1795334400) /* 2026-11-22 08:00:00 */
#define NOV_1994 INT64_C(784111777)

Test(date, parses_rfc9110_5_6_7)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", NOV_1994},
        {"Sunday, 06-Nov-94 08:49:37 GMT", NOV_1994},
        {"Sun Nov  6 08:49:37 1994", NOV_1994},
        {"Sun Nov 06 08:49:37 1994", NOV_1994},
        /* case of weekday, month and zone does not matter, nor which weekday */
        {"sun, 06 nov 1994 08:49:37 gmt", NOV_1994},
        {"SUNDAY, 06-NOV-94 08:49:37 GMT", NOV_1994},
        {"SUN NOV  6 08:49:37 1994", NOV_1994},
        {"Fri, 06 Nov 1994 08:49:37 GMT", NOV_1994},
        {"Friday, 06-Nov-94 08:49:37 GMT", NOV_1994},
        /* far away */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 19 Jan 2038 03:14:08 GMT", INT64_C(2147483648)},
        {"Sat, 20 Nov 2286 17:46:40 GMT", INT64_C(10000000000)},
        {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799)},
        {"Fri, 01 Jan 1960 00:00:00 GMT", 0},
        {"Sat, 01 Jan 0000 00:00:00 GMT", 0},
        /* leap days and seconds */
        {"Tue, 29 Feb 2000 00:00:00 GMT", INT64_C(951782400)},
        {"Thu, 29 Feb 2024 00:00:00 GMT", INT64_C(1709164800)},
        {"Sat, 31 Dec 2016 23:59:60 GMT", INT64_C(1483228800)},
        {"Thu, 29 Feb 2100 00:00:00 GMT", -1},
        {"Wed, 29 Feb 2023 00:00:00 GMT", -1},
        /* two-digit years: less than 50 years ahead is the future */
        {"Sunday, 22-Nov-26 08:00:00 GMT", NOW},
        {"Thursday, 01-Jan-70 00:00:00 GMT", INT64_C(3155760000)},
        {"Sunday, 22-Nov-76 00:00:00 GMT", INT64_C(3373228800)},
        {"Tuesday, 23-Nov-76 08:00:00 GMT", INT64_C(217584000)},
        {"Saturday, 01-Jan-77 00:00:00 GMT", INT64_C(220924800)},
        {"Saturday, 01-Jan-00 00:00:00 GMT", INT64_C(946684800)},
        /* refused */
        {"", -1},
        {"0", -1},
        {"-1", -1},
        {"now", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"Sun, 06 Nov 1994 08:49:37 PST", -1},
        {"Sun, 06 Nov 1994 08:49:37 +0000", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 94 08:49:37 GMT", -1},
        {"Sun 06 Nov 1994 08:49:37 GMT", -1},
        {"Sun,  06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06  Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994  08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37  GMT", -1},
        {"Sun, 06-Nov-1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08.49.37 GMT", -1},
        {"Sun, 06 Nov 1994 8:49:37 GMT", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49 GMT", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 23:60:00 GMT", -1},
        {"Sun, 06 Nov 1994 23:59:61 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nod 1994 08:49:37 GMT", -1},
        {"Xyz, 06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMTx", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, -6 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov +994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 GM", -1},
        {"Sunday, 06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06-Nov-94 08:49:37 GMT", -1},
        {"Sunday, 06-Nov-1994 08:49:37 GMT", -1},
        {"Sun Nov 6 08:49:37 1994", -1},
        {"Sun Nov  6 08:49:37 1994 GMT", -1},
        {"Sun Nov   6 08:49:37 1994", -1},
        {"Sunday Nov  6 08:49:37 1994", -1},
        {"Sun Nov  6 08:49:37 94", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t when = date_parse(span_str(cases[i].text), NOW);
        cr_expect_eq(when, cases[i].want, "%s: %lld", cases[i].text, (long long)when);
    }
}

/* Against libc, over 8000 years, with steps that hit all months and hours. */
Test(date, formats_what_it_parses)
{
    const int64_t last = INT64_C(253402300799);

    for (int64_t when = 0; when <= last; when += 3 * INT64_C(86400) * 365 / 100 + 12345) {
        char text[DATE_LEN], expected[64];
        struct tm tm;
        time_t t = (time_t)when;
        gmtime_r(&t, &tm);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        date_format(when, text);
        cr_assert(span_eq(span_of(text, DATE_LEN), span_str(expected)), "%s", expected);
        cr_assert_eq(date_parse(span_of(text, DATE_LEN), NOW), when, "%s", expected);
    }
}

/* Small letters are read piece by piece, the exact form by position: what one takes, the other
 * does, with any byte in any place. */
Test(date, the_exact_form_means_what_it_means_in_small_letters)
{
    static const char *const texts[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Thu, 29 Feb 2024 23:59:60 GMT",
        "Sat, 31 Dec 9999 00:00:00 GMT",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t at = 0; at < DATE_LEN; at++) {
            for (int c = 0; c < 256; c++) {
                char exact[DATE_LEN], lower[DATE_LEN];
                memcpy(exact, texts[i], DATE_LEN);
                exact[at] = (char)c;
                for (size_t k = 0; k < DATE_LEN; k++) {
                    lower[k] = ascii_lower(exact[k]);
                }
                cr_assert_eq(date_parse(span_of(exact, DATE_LEN), NOW),
                             date_parse(span_of(lower, DATE_LEN), NOW), "%.29s", exact);
            }
        }
    }
}

Test(date, formats_within_its_bounds)
{
    char text[DATE_LEN];

    date_format(-1, text);
    cr_expect(span_eq(span_of(text, DATE_LEN), SPAN("Thu, 01 Jan 1970 00:00:00 GMT")));
    date_format(INT64_MAX, text);
    cr_expect(span_eq(span_of(text, DATE_LEN), SPAN("Fri, 31 Dec 9999 23:59:59 GMT")));
}
