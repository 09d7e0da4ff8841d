/*
 * chars - the character classes of the HTTP grammar as one table, so that a scan costs one load
 * per byte. Pure.
 */
#ifndef LARDER_HTTP_CHARS_H
#define LARDER_HTTP_CHARS_H

#include "base/span.h"
#include "base/swar.h"

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

/* chars_are(text, CHAR_VALUE), eight bytes at a time, the last ones perhaps twice. */
static inline bool chars_are_value(struct span text)
{
    uint64_t controls = 0;

    if (text.len < 8) {
        return chars_are(text, CHAR_VALUE);
    }
    const char *last = text.at + text.len - 8;
    for (const char *at = text.at; at < last; at += 8) {
        controls |= swar_controls(swar_load(at));
    }
    controls |= swar_controls(swar_load(last));
    return controls == 0 || chars_are(text, CHAR_VALUE); /* a tab is one, too */
}

/* chars_are(text, CHAR_VISIBLE), likewise. */
static inline bool chars_are_visible(struct span text)
{
    uint64_t others = 0;

    if (text.len < 8) {
        return chars_are(text, CHAR_VISIBLE);
    }
    const char *last = text.at + text.len - 8;
    for (const char *at = text.at; at < last; at += 8) {
        others |= swar_invisible(swar_load(at));
    }
    return (others | swar_invisible(swar_load(last))) == 0;
}

/* The value of a digit of class CHAR_HEX. */
static inline uint8_t char_hex_value(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

#endif
