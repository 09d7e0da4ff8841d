/*
 * rewrite - links in the documents of package registries, changed while these pass: bytes in, bytes
 * out, memory bounded whatever comes. Pure.
 *
 * Only what is surely a link to a file is touched: in npm's JSON the string "tarball" of an object
 * "dist", in that of Python's simple index (PEP 691) "url" of the objects in "files", in its HTML
 * (PEP 503) `href` of <a> and <base>. And only when it begins with one of the given prefixes, which
 * gives way to another; every other byte goes on as it came. So what is no JSON, or no HTML, comes
 * out as it is, or with a link changed that a lenient reader would have taken for one.
 */
#ifndef LARDER_PROXY_MIRROR_REWRITE_H
#define LARDER_PROXY_MIRROR_REWRITE_H

#include "base/span.h"

#include <stdint.h>

enum {
    REWRITE_LINKS_MAX = 8,
    REWRITE_TO_MAX = 1024,   /* bytes of `to` */
    REWRITE_HELD_MAX = 2048, /* a beginning that takes more, in whatever spelling, is not found */
    REWRITE_ROOM = REWRITE_HELD_MAX + REWRITE_TO_MAX + 64, /* the least that is of use as room */
};

enum rewrite_format { REWRITE_NPM, REWRITE_PIP_JSON, REWRITE_PIP_HTML };

/* What begins with `from`, as JSON or HTML mean it, begins with `to`. The longest one counts. `to`
 * is put there as it is. Borrowed. */
struct rewrite_link {
    struct span from, to;
};

struct rewrite_links {
    struct rewrite_link at[REWRITE_LINKS_MAX];
    size_t count;
};

/* A value that may begin with a prefix, while it cannot be told. */
struct rewrite_match {
    bool on;
    unsigned alive; /* bit i: it may still be link i */
    size_t read;    /* characters so far */
    int best;       /* the longest link found so far; -1: none */
    size_t best_held;
    size_t held;
    char raw[REWRITE_HELD_MAX];
};

/* A name that is read: a key, a tag, an attribute. */
struct rewrite_word {
    size_t len; /* larger than `text`: none that is known */
    char text[8];
};

struct rewriter {
    enum rewrite_format format;
    const struct rewrite_links *links;
    struct rewrite_match match;
    struct rewrite_word word;
    int state;
    char *out; /* during a call */
    size_t written;
    /* JSON */
    unsigned hex, hex_left;
    bool after_string;
    int key;
    uint64_t depth, parent; /* of brackets; where the object or list is that has links, or 0 */
    /* HTML */
    bool is_link_tag, is_link;
    char quote;
};

/* `links` must outlive it. */
void rewriter_init(struct rewriter *rewriter, enum rewrite_format format,
                   const struct rewrite_links *links);

/* Takes from the beginning of *in what there is room for, and returns how many bytes it has written
 * to `out`, at most `room`, which is at least REWRITE_ROOM. Takes something of *in if that is not
 * empty. */
size_t rewriter_run(struct rewriter *rewriter, struct span *in, char *out, size_t room);

/* The document has ended: what was still held back. */
size_t rewriter_end(struct rewriter *rewriter, char *out, size_t room);

#endif
