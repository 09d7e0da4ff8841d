/*
 * rewrite_source - a source that rewrites the links of a body while it is pulled. Belongs to one
 * loop.
 */
#ifndef LARDER_PROXY_MIRROR_REWRITE_SOURCE_H
#define LARDER_PROXY_MIRROR_REWRITE_SOURCE_H

#include "base/source.h"
#include "proxy/mirror/rewrite.h"

struct rewrite_source {
    struct source source;
    struct source *from;
    struct rewriter rewriter;
    bool ended;
    size_t start, end; /* bytes of `out` that were not taken so far */
    char out[4 * REWRITE_ROOM];
};

/* `from` and `links` must outlive the source. */
void rewrite_source_init(struct rewrite_source *source, struct source *from,
                         enum rewrite_format format, const struct rewrite_links *links);

#endif
