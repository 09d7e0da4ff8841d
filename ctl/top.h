/*
 * top - what is asked for most, from lines of /tail: counts that fade, so that the table shows
 * about the last minute. Pure: the clock is the caller's, in seconds.
 */
#ifndef LARDER_CTL_TOP_H
#define LARDER_CTL_TOP_H

#include "base/buf.h"
#include "base/check.h"

/* clang-format off */
/* id, word, key on the keyboard */
#define TOP_BY(X)                                                                                  \
    X(HOST,    "host",    'h')                                                                     \
    X(CLIENT,  "client",  'c')                                                                     \
    X(URL,     "url",     'u')                                                                     \
    X(OUTCOME, "outcome", 'o')                                                                     \
    X(REASON,  "reason",  'r')                                                                     \
    X(STATUS,  "status",  's')                                                                     \
    X(TYPE,    "type",    't')                                                                     \
    X(METHOD,  "method",  'm')
/* clang-format on */

enum top_by {
#define X(id, word, key) TOP_##id,
    TOP_BY(X)
#undef X
        TOP_BY_COUNT
};

struct top;

/* Counts lose half of their weight in `half_life` seconds; 0: never. */
struct top *top_new(enum top_by by, double half_life);
void top_free(struct top **top);
/* Forgets all and counts by something else. */
void top_by(struct top *top, enum top_by by);
/* One line of /tail. ERR_SYNTAX: it is none. */
int top_add(struct top *top, struct span json, double now);
/* Rows of at most `width` bytes, at most `height` of them, the title's included. `since`: when the
 * counting began. `plain`: no colours. */
void top_frame(struct top *top, double since, double now, size_t width, size_t height, bool plain,
               struct buf *out);
/* The word of a --by; false: there is no such. */
bool top_by_word(const char *word, enum top_by *out);
bool top_by_key(char key, enum top_by *out);
/* "h host  c client  …  q quit", at most `width` characters. */
void top_keys(size_t width, struct buf *out);

#endif
