#include "base/span.h"

#include <criterion/criterion.h>

#include "base/check.h"

Test(span, numbers)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t want;
    } cases[] = {
        {"0", 10, true, 0},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"7", 3, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t value = 0;
        bool ok = span_to_u64(span_str(cases[i].text), cases[i].max, &value);
        cr_expect_eq(ok, cases[i].ok, "%s", cases[i].text);
        cr_expect_eq(value, cases[i].want, "%s", cases[i].text);
    }
}

Test(span, cut_takes_the_parts_and_leaves_the_rest)
{
    struct span rest = SPAN("a,bb,");

    cr_expect(span_eq(span_cut(&rest, ','), SPAN("a")));
    cr_expect(span_eq(span_cut(&rest, ','), SPAN("bb")));
    cr_expect_eq(rest.len, 0);
    cr_expect_eq(span_cut(&rest, ',').len, 0);
}

Test(span, trim_removes_only_space_and_tab_at_the_ends)
{
    cr_expect(span_eq(span_trim(SPAN(" \t a b\t")), SPAN("a b")));
    cr_expect_eq(span_trim(SPAN(" \t ")).len, 0);
    cr_expect(span_eq(span_trim(SPAN("\ra")), SPAN("\ra")));
}

Test(span, compares_without_case_only_letters)
{
    cr_expect(span_ieq(SPAN("Max-AGE"), SPAN("max-age")));
    cr_expect_not(span_ieq(SPAN("a@"), SPAN("a`")));
}
