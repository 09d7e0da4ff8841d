/*
 * top - the most frequent values in lines of /tail, with counts that decay, so that the table shows
 * about the last minute. Pure; times are in seconds and given by the caller.
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

/* Counts lose half of their weight in `half_life` seconds; 0: they do not decay. */
struct top *top_new(enum top_by by, double half_life);
void top_free(struct top **top);
/* Clears the counts, and counts by something else. */
void top_by(struct top *top, enum top_by by);
/* Adds a line of /tail. ERR_SYNTAX: it is malformed. */
int top_add(struct top *top, struct span json, double now);
/* Writes at most `height` rows of at most `width` bytes, including the title. `since`: when
 * counting began. `plain`: no colours. */
void top_frame(struct top *top, double since, double now, size_t width, size_t height, bool plain,
               struct buf *out);
/* Parses the argument of --by; false: unknown. */
bool top_by_word(const char *word, enum top_by *out);
bool top_by_key(char key, enum top_by *out);
/* Writes "[q]uit [h]ost [c]lient …", as many whole words as `width` characters have room for. */
void top_keys(size_t width, struct buf *out);

#endif
