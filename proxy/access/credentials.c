#include "proxy/access/credentials.h"

#include "base/err.h"
#include "http/chars.h"

enum { DECODED_MAX = CREDENTIALS_NAME_MAX + 1 + CREDENTIALS_PASSWORD_MAX };

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    return ascii_is_digit(c) ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict base64 (RFC 4648 4): one text for each value; padding may be missing. */
static int decode(struct span text, unsigned char *out, size_t *len)
{
    unsigned bits = 0;
    size_t digits = 0;

    if (text.len % 4 == 0 && span_ends(text, SPAN("="))) {
        text.len -= span_ends(text, SPAN("==")) ? 2 : 1;
    }
    for (*len = 0; digits < text.len; digits++) {
        int digit = digit_of(text.at[digits]);
        if (digit < 0) {
            return ERR_SYNTAX;
        }
        bits = bits << 6 | (unsigned)digit;
        if (digits % 4 != 0) {
            out[(*len)++] = (unsigned char)(bits >> (6 - 2 * (digits % 4)) & 255);
        }
    }
    unsigned spare = digits % 4 == 2 ? bits & 15 : digits % 4 == 3 ? bits & 3 : 0;
    return digits % 4 == 1 || spare ? ERR_SYNTAX : 0;
}

int credentials_parse(struct span value, struct arena *arena, struct credentials *out)
{
    struct span text = span_trim(value);
    struct span scheme = span_cut(&text, ' ');
    size_t len;

    if (!span_ieq(scheme, SPAN("Basic"))) {
        return ERR_UNSUPPORTED;
    }
    text = span_trim(text);
    if (text.len > (DECODED_MAX + 2ul) / 3 * 4) {
        return ERR_TOO_LARGE;
    }
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    int err = decode(text, bytes, &len);
    struct span both = span_of(bytes, len);
    if (err || span_find(both, ':') == len || chars_have_control(both)) {
        return ERR_SYNTAX;
    }
    out->password = both;
    out->name = span_cut(&out->password, ':');
    if (out->name.len > CREDENTIALS_NAME_MAX || out->password.len > CREDENTIALS_PASSWORD_MAX) {
        return ERR_TOO_LARGE;
    }
    return out->name.len ? 0 : ERR_SYNTAX;
}
