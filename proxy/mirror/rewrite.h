/*
 * rewrite - changes links in the documents of package registries while they pass: bytes in, bytes
 * out, bounded memory. Pure.
 *
 * Only certain links to files are changed: in npm's JSON the string "tarball" in an object "dist",
 * in the JSON of Python's simple index (PEP 691) "url" of the objects in "files", in its HTML (PEP
 * 503) `href` of <a> and <base>. And only if it begins with one of the given prefixes, which is
 * replaced; all other bytes pass unchanged. So text that is not valid JSON or HTML passes as it is,
 * or with a link changed that a lenient parser would also take for one.
 */
#ifndef LARDER_PROXY_MIRROR_REWRITE_H
#define LARDER_PROXY_MIRROR_REWRITE_H

#include "base/span.h"

#include <stdint.h>

enum {
    REWRITE_LINKS_MAX = 8,
    REWRITE_TO_MAX = 1024, /* most bytes of rewrite_link.to */
    REWRITE_HELD_MAX =
        2048, /* a prefix that takes more bytes, because of escapes, is not recognised */
    REWRITE_ROOM = REWRITE_HELD_MAX + REWRITE_TO_MAX + 64, /* least size of an output buffer */
};

enum rewrite_format { REWRITE_NPM, REWRITE_PIP_JSON, REWRITE_PIP_HTML };

/* A link that begins with `from`, after decoding JSON or HTML, then begins with `to`. The longest
 * match counts. `to` is written as it is. Borrowed. */
struct rewrite_link {
    struct span from, to;
};

struct rewrite_links {
    struct rewrite_link at[REWRITE_LINKS_MAX];
    size_t count;
};

/* A value that may begin with a prefix, while that is undecided. */
struct rewrite_match {
    bool on;
    unsigned alive; /* bit i: link i still matches */
    size_t read;    /* characters so far */
    int best;       /* longest link that matched so far; -1: none */
    size_t best_held;
    size_t held;
    char raw[REWRITE_HELD_MAX];
};

/* A name being read: a key, a tag or an attribute. */
struct rewrite_word {
    size_t len; /* larger than `text`: no name that is known */
    char text[8];
};

struct rewriter {
    enum rewrite_format format;
    const struct rewrite_links *links;
    struct rewrite_match match;
    struct rewrite_word word;
    int state;
    char *out; /* set during a call */
    size_t written;
    /* JSON */
    unsigned hex, hex_left;
    bool after_string;
    int key;
    uint64_t depth, parent; /* of brackets; of the object or list that has links, or 0 */
    /* HTML */
    bool is_link_tag, is_link;
    char quote;
};

/* `links` must outlive the rewriter. */
void rewriter_init(struct rewriter *rewriter, enum rewrite_format format,
                   const struct rewrite_links *links);

/* Takes bytes from the beginning of *in, as far as there is room. Returns how many it wrote to
 * `out`, at most `room`, which is at least REWRITE_ROOM. Always takes something if *in is not
 * empty. */
size_t rewriter_run(struct rewriter *rewriter, struct span *in, char *out, size_t room);

/* Ends the document: writes what was held back. */
size_t rewriter_end(struct rewriter *rewriter, char *out, size_t room);

#endif
