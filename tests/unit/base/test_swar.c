#include "base/span.h"
#include "base/swar.h"

#include <criterion/criterion.h>

#include <stdbool.h>

/* The mask that a predicate gives, byte by byte. */
static uint64_t slowly(const unsigned char text[8], bool (*is)(unsigned char c, uint8_t with),
                       uint8_t with)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < 8; i++) {
        mask |= is(text[i], with) ? UINT64_C(0x80) << (8 * i) : 0;
    }
    return mask;
}

static bool is_below(unsigned char c, uint8_t limit)
{
    return c < limit;
}

static bool is_same(unsigned char c, uint8_t byte)
{
    return c == byte;
}

static void expect_masks(const unsigned char text[8])
{
    static const uint8_t with[] = {0, 1, ' ', ' ' + 1, ':', 0x7f, 0x80};
    uint64_t word = swar_load((const char *)text);

    for (size_t i = 0; i < sizeof(with); i++) {
        cr_assert_eq(swar_below(word, with[i]), slowly(text, is_below, with[i]));
        cr_assert_eq(swar_is(word, with[i]), slowly(text, is_same, with[i]));
    }
    char lowered[8];
    swar_store(lowered, swar_lower(word));
    for (size_t i = 0; i < sizeof(lowered); i++) {
        cr_assert_eq(lowered[i], ascii_lower((char)text[i]));
    }
}

/* Carries and borrows would show at the neighbours of what is looked for. */
Test(swar, masks_are_exact_whatever_the_neighbours_are)
{
    static const unsigned char around[] = {0,   1,   ' ' - 1, ' ',  ' ' + 1, ':', 'A',
                                           'Z', 'a', 0x7f,    0x80, 0x81,    0xff};

    for (unsigned place = 0; place < 8; place++) {
        for (size_t i = 0; i < sizeof(around); i++) {
            for (unsigned c = 0; c < 256; c++) {
                unsigned char text[8];
                memset(text, around[i], sizeof(text));
                text[place] = (unsigned char)c;
                expect_masks(text);
            }
        }
    }
}

Test(swar, the_first_of_a_mask)
{
    cr_expect_eq(swar_first(swar_is(swar_load("abcdefga"), 'a')), 0);
    cr_expect_eq(swar_first(swar_is(swar_load("abcdefga"), 'c')), 2);
    cr_expect_eq(swar_first(swar_is(swar_load("abcdefgh"), 'h')), 7);
}
