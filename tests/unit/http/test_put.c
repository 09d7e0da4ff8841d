#include "http/put.h"

#include <criterion/criterion.h>

#include "base/check.h"

Test(put, numbers_have_no_zeros_before_them)
{
    static const struct {
        uint64_t number;
        const char *want;
    } cases[] = {
        {0, "0"},
        {9, "9"},
        {10, "10"},
        {99, "99"},
        {100, "100"},
        {65535, "65535"},
        {UINT64_C(9999999999999999999), "9999999999999999999"},
        {UINT64_C(10000000000000000000), "10000000000000000000"},
        {UINT64_MAX, "18446744073709551615"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[PUT_NUMBER_MAX + 1];
        *put_number(text, cases[i].number) = '\0';
        cr_expect_str_eq(text, cases[i].want);
        cr_expect_eq(number_len(cases[i].number), strlen(cases[i].want), "%s", cases[i].want);
    }
}

Test(put, digits_are_as_many_as_asked_for)
{
    static const struct {
        uint64_t number;
        size_t len;
        const char *want;
    } cases[] = {{7, 3, "007"}, {200, 3, "200"}, {1994, 2, "94"}, {0, 1, "0"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[8];
        *put_digits(text, cases[i].number, cases[i].len) = '\0';
        cr_expect_str_eq(text, cases[i].want);
    }
}
