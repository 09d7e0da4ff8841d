/*
 * escape - the escapes of master-file text (RFC 1035 5.1).
 */
#ifndef LARDER_DNSREDIR_MESSAGE_ESCAPE_H
#define LARDER_DNSREDIR_MESSAGE_ESCAPE_H

#include "base/err.h"
#include "base/span.h"

/* Reads one byte of text, which is not empty: \DDD, \X or the byte itself. Advances *text. Returns
 * 0, or ERR_SYNTAX if a backslash has nothing behind it, or a digit that does not begin a number of
 * three digits up to 255. */
static inline int escape_read(struct span *text, uint8_t *out)
{
    bool escaped = text->at[0] == '\\';
    uint64_t value;

    *text = span_skip(*text, escaped ? 1 : 0);
    if (text->len == 0) {
        return ERR_SYNTAX;
    }
    if (!escaped || !ascii_is_digit(text->at[0])) {
        *out = (uint8_t)text->at[0];
        *text = span_skip(*text, 1);
        return 0;
    }
    if (text->len < 3 || !span_to_u64(span_take(*text, 3), UINT8_MAX, &value)) {
        return ERR_SYNTAX;
    }
    *out = (uint8_t)value;
    *text = span_skip(*text, 3);
    return 0;
}

#endif
