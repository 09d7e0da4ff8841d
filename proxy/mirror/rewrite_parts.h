/* rewrite_parts - what the formats of rewrite.h share. Only for rewrite*.c. */
#ifndef LARDER_PROXY_MIRROR_REWRITE_PARTS_H
#define LARDER_PROXY_MIRROR_REWRITE_PARTS_H

#include "proxy/mirror/rewrite.h"

/* Writes a byte, or holds it back while a value is undecided. */
void rewrite_put(struct rewriter *rewriter, char c);
/* A value begins that may be a link. */
void rewrite_begin(struct rewriter *rewriter);
/* Gives the next character of that value, whose bytes were put already; -1: a character that no
 * prefix has. */
void rewrite_feed(struct rewriter *rewriter, int c);
/* The value has ended, or cannot match any more: writes what is held back, changed or not. */
void rewrite_decide(struct rewriter *rewriter);

static inline void rewrite_word_begin(struct rewriter *rewriter)
{
    rewriter->word.len = 0;
}

void rewrite_word_add(struct rewriter *rewriter, int c);
bool rewrite_word_is(const struct rewriter *rewriter, struct span word);

/* Takes one byte of a document. */
void rewrite_json(struct rewriter *rewriter, char c);
void rewrite_html(struct rewriter *rewriter, char c);
/* How many bytes at the beginning of `in` pass unchanged and change no state. */
size_t rewrite_json_dull(const struct rewriter *rewriter, struct span in);
size_t rewrite_html_dull(const struct rewriter *rewriter, struct span in);

#endif
