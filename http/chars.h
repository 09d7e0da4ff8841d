/*
 * chars - the character classes of the HTTP grammar as one table, so that a scan costs one load
 * per byte. Pure.
 */
#ifndef LARDER_HTTP_CHARS_H
#define LARDER_HTTP_CHARS_H

#include "base/span.h"

enum {
    CHAR_TOKEN = 1,   /* tchar: field names, methods, list members (RFC 9110 5.6.2) */
    CHAR_VALUE = 2,   /* field-vchar, SP, HTAB, obs-text: what a value may hold (5.5) */
    CHAR_VISIBLE = 4, /* VCHAR: the bytes of a request target */
    CHAR_HOST = 8,    /* unreserved, sub-delims, "%": a registered name (RFC 3986 3.2.2) */
    CHAR_HEX = 16,    /* HEXDIG in either case */
};

extern const uint8_t http_char_classes[256];

static inline bool char_is(char c, uint8_t classes)
{
    return (http_char_classes[(uint8_t)c] & classes) != 0;
}

/* All bytes of `text` are of one of the classes. True for an empty text. */
static inline bool chars_are(struct span text, uint8_t classes)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!char_is(text.at[i], classes)) {
            return false;
        }
    }
    return true;
}

/* The value of a digit of class CHAR_HEX. */
static inline uint8_t char_hex_value(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

#endif
