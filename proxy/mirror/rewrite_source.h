/*
 * rewrite_source - a body whose links are changed while it is pulled. Belongs to one loop.
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
    size_t start, end; /* of what is in `out`, and not taken yet */
    char out[4 * REWRITE_ROOM];
};

/* `from` and `links` must outlive it. */
void rewrite_source_init(struct rewrite_source *source, struct source *from,
                         enum rewrite_format format, const struct rewrite_links *links);

#endif
