#include "dnsredir/message/base64.h"

#include "base/err.h"

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (ascii_is_digit(c)) {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_read(struct span text, uint8_t *out, size_t max, size_t *len)
{
    struct span digits = text;
    uint32_t bits = 0;
    unsigned count = 0;

    *len = 0;
    for (int i = 0; i < 2 && span_ends(digits, SPAN("=")); i++) {
        digits.len--;
    }
    if (text.len == 0 || text.len % 4 != 0) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < digits.len; i++) {
        int digit = digit_of(digits.at[i]);
        if (digit < 0 || *len == max) {
            return ERR_SYNTAX;
        }
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[(*len)++] = (uint8_t)(bits >> count);
            bits &= (UINT32_C(1) << count) - 1;
        }
    }
    return bits == 0 ? 0 : ERR_SYNTAX;
}
