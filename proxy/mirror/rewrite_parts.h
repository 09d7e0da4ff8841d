/* rewrite_parts - what the formats of rewrite.h share. Nobody else includes it. */
#ifndef LARDER_PROXY_MIRROR_REWRITE_PARTS_H
#define LARDER_PROXY_MIRROR_REWRITE_PARTS_H

#include "proxy/mirror/rewrite.h"

/* A byte goes on, or is held back while a value is looked at. */
void rewrite_put(struct rewriter *rewriter, char c);
/* A value begins that may be a link. */
void rewrite_begin(struct rewriter *rewriter);
/* The next character of it, whose bytes have been put; -1: one that is in no prefix. */
void rewrite_feed(struct rewriter *rewriter, int c);
/* It has ended, or cannot be told any more: what is held goes on, changed or not. */
void rewrite_decide(struct rewriter *rewriter);

static inline void rewrite_word_begin(struct rewriter *rewriter)
{
    rewriter->word.len = 0;
}

void rewrite_word_add(struct rewriter *rewriter, int c);
bool rewrite_word_is(const struct rewriter *rewriter, struct span word);

/* One byte of a document. */
void rewrite_json(struct rewriter *rewriter, char c);
void rewrite_html(struct rewriter *rewriter, char c);
/* How many bytes at the beginning of `in` go on as they are and change nothing. */
size_t rewrite_json_dull(const struct rewriter *rewriter, struct span in);
size_t rewrite_html_dull(const struct rewriter *rewriter, struct span in);

#endif
