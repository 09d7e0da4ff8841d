#include "http/percent.h"

#include <criterion/criterion.h>

static const struct {
    const char *text, *decoded; /* NULL: it cannot be decoded */
} rows[] = {
    {"", ""},         {"plain", "plain"}, {"%41", "A"},   {"a%2fb%2Fc", "a/b/c"}, {"%c3%A4", "ä"},
    {"%25%25", "%%"}, {"a+b", "a+b"},     {"%", NULL},    {"%4", NULL},           {"end%4", NULL},
    {"%4g", NULL},    {"%g4", NULL},      {"%%41", NULL}, {"%41%", NULL},         {"% 41", NULL},
};

Test(percent, rfc3986_2_1)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span out = SPAN_EMPTY;
        struct arena arena;

        arena_init(&arena, NULL, 0);
        bool good = percent_decode(span_str(rows[i].text), &arena, &out);
        cr_expect_eq(good, rows[i].decoded != NULL, "%s", rows[i].text);
        cr_expect(span_eq(out, span_str(rows[i].decoded ? rows[i].decoded : "")), "%s",
                  rows[i].text);
        arena_fini(&arena);
    }
}

Test(percent, a_byte_of_zero_is_a_byte)
{
    struct span out;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    cr_expect(percent_decode(SPAN("a%00b"), &arena, &out));
    cr_expect(span_eq(out, SPAN("a\0b")));
    arena_fini(&arena);
}
