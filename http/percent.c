#include "http/percent.h"

#include "http/chars.h"

/* The byte that is written as "%XX" at the beginning; -1: none is. */
static int encoded(struct span text)
{
    if (text.len < 3 || !char_is(text.at[1], CHAR_HEX) || !char_is(text.at[2], CHAR_HEX)) {
        return -1;
    }
    return char_hex_value(text.at[1]) * 16 + char_hex_value(text.at[2]);
}

bool percent_decode(struct span text, struct arena *arena, struct span *out)
{
    char *start = arena_alloc(arena, text.len + 1);
    char *at = start;

    while (text.len) {
        bool is_encoded = text.at[0] == '%';
        int c = is_encoded ? encoded(text) : (unsigned char)text.at[0];
        if (c < 0) {
            return false;
        }
        *at++ = (char)c;
        text = span_skip(text, is_encoded ? 3 : 1);
    }
    *out = span_from_to(start, at);
    return true;
}
