/*
 * chars - the character classes of the HTTP grammar as one table, so that a scan costs one load per
 * byte. Pure.
 */
#ifndef LARDER_HTTP_CHARS_H
#define LARDER_HTTP_CHARS_H

#include "base/span.h"
#include "base/swar.h"

enum {
    CHAR_TOKEN = 1,   /* tchar: field names, methods, list members (RFC 9110 5.6.2) */
    CHAR_VALUE = 2,   /* field-vchar, SP, HTAB, obs-text: what a value may hold (5.5) */
    CHAR_VISIBLE = 4, /* VCHAR: what a request target may hold */
    CHAR_HOST = 8,    /* unreserved, sub-delims, "%": a registered name (RFC 3986 3.2.2) */
    CHAR_HEX = 16,    /* HEXDIG in either case */
};

extern const uint8_t http_char_classes[256];

static inline bool char_is(char c, uint8_t classes)
{
    return (http_char_classes[(uint8_t)c] & classes) != 0;
}

/* Is each byte of `text` of one of these classes? True for an empty text. */
static inline bool chars_are(struct span text, uint8_t classes)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!char_is(text.at[i], classes)) {
            return false;
        }
    }
    return true;
}

/* Does it have a control character, also a tab? */
static inline bool chars_have_control(struct span text)
{
    return !chars_are(text, CHAR_VALUE) || span_find(text, '\t') < text.len;
}

/* The union of what `mask`, a function of base/swar.h, finds in the words of `text`, which has at
 * least eight bytes. Some of the last bytes may be looked at twice. */
static inline uint64_t chars_found(struct span text, uint64_t (*mask)(uint64_t word))
{
    const char *last = text.at + text.len - 8;
    uint64_t found = mask(swar_load(last));

    for (const char *at = text.at; at < last; at += 8) {
        found |= mask(swar_load(at));
    }
    return found;
}

/* chars_are(text, CHAR_VALUE), eight bytes at a time. */
static inline bool chars_are_value(struct span text)
{
    bool plain = text.len >= 8 && chars_found(text, swar_controls) == 0;

    return plain || chars_are(text, CHAR_VALUE); /* a tab is a control, and allowed */
}

/* chars_are(text, CHAR_VISIBLE), eight bytes at a time. */
static inline bool chars_are_visible(struct span text)
{
    return text.len < 8 ? chars_are(text, CHAR_VISIBLE) : chars_found(text, swar_invisible) == 0;
}

/* The value of a digit of class CHAR_HEX. */
static inline uint8_t char_hex_value(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

#endif
