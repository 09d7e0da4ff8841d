/*
 * span - a view of bytes that somebody else owns: not NUL-terminated, never freed. All text from
 * the network is handled as spans.
 */
#ifndef LARDER_BASE_SPAN_H
#define LARDER_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *at; /* may be NULL if len is 0 */
    size_t len;
};

/* A span over a string literal. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
/* The same as an initializer for static data. */
#define SPAN_INIT(literal)                                                                         \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#define SPAN_EMPTY ((struct span){NULL, 0})

/* For printf("%.*s"). */
#define SPAN_ARGS(span) (int)(span).len, (span).len ? (span).at : ""

static inline struct span span_of(const void *at, size_t len)
{
    return (struct span){(const char *)at, len};
}

static inline struct span span_str(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

static inline struct span span_from_to(const char *from, const char *to)
{
    return (struct span){from, (size_t)(to - from)};
}

static inline char ascii_lower(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c | 0x20);
    }
    return c;
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Equal without regard to the case of ASCII letters. */
static inline bool span_ieq(struct span a, struct span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.at[i]) != ascii_lower(b.at[i])) {
            return false;
        }
    }
    return true;
}

static inline bool span_starts(struct span text, struct span prefix)
{
    return text.len >= prefix.len && span_eq(span_of(text.at, prefix.len), prefix);
}

static inline bool span_ends(struct span text, struct span suffix)
{
    return text.len >= suffix.len && (suffix.len == 0 || memcmp(text.at + (text.len - suffix.len),
                                                                suffix.at, suffix.len) == 0);
}

/* Lexicographic order of bytes; a prefix comes first. */
static inline int span_cmp(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.at, b.at, n) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The position of `c`; text.len if it does not occur. */
static inline size_t span_find(struct span text, char c)
{
    const char *hit = text.len ? memchr(text.at, c, text.len) : NULL;
    return hit ? (size_t)(hit - text.at) : text.len;
}

static inline struct span span_skip(struct span text, size_t n)
{
    n = n < text.len ? n : text.len;
    return n ? (struct span){text.at + n, text.len - n} : text;
}

static inline struct span span_take(struct span text, size_t n)
{
    return (struct span){text.at, n < text.len ? n : text.len};
}

/* Removes spaces and tabs (OWS of RFC 9110 5.6.3) at both ends. */
static inline struct span span_trim(struct span text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text = span_skip(text, 1);
    }
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Returns the part before `separator`, and removes both from *rest. Without a separator returns all
 * of *rest, which is empty then. */
static inline struct span span_cut(struct span *rest, char separator)
{
    size_t n = span_find(*rest, separator);
    struct span part = span_take(*rest, n);

    *rest = span_skip(*rest, n + 1);
    return part;
}

/* Parses decimal digits, at least one, with a value of at most `max`. False: *out is unchanged. */
static inline bool span_to_u64(struct span digits, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (digits.len == 0) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (!ascii_is_digit(digits.at[i])) {
            return false;
        }
        uint64_t digit = (uint64_t)(digits.at[i] - '0');
        if (value > (max - digit) / 10 || digit > max) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

#endif
