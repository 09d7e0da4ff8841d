/*
 * explain - what a request would find and be told, by the very code that serves requests, but
 * without a trace: no flight, nothing becomes hot, nothing counts as used. For administrators.
 */
#ifndef LARDER_CACHE_EXPLAIN_H
#define LARDER_CACHE_EXPLAIN_H

#include "cache/cache.h"

enum { EXPLAIN_VARIANTS_MAX = 32 };

struct explanation {
    struct lookup lookup;      /* the keys, and the response found; nothing joined or led */
    struct decision decision;  /* as a request would have it before the origin is asked */
    enum cache_result result;  /* what the request would do */
    struct table_view present; /* what is in memory under lookup.key; without its object */

    /* of a URL whose responses vary */
    struct span specs[OBJECT_VARY_MAX]; /* which fields select, oldest first; in the arena */
    size_t spec_count;
    struct object *variants[EXPLAIN_VARIANTS_MAX]; /* those that are known; counted */
    size_t variant_count;
    size_t offered; /* of them, that the origin is told of, so that it may confirm one */
};

/* query->waker is not used. Waits for the disk: not for the loops that serve requests. */
void cache_explain(struct cache *cache, const struct cache_query *query, struct explanation *out);
void explanation_fini(struct explanation *explanation);

/* Of a Vary base: the variants in memory, and the last ones with an ETag, which may be on disk
 * only. How many; each is counted. Waits for the disk. */
size_t cache_known_variants(struct cache *cache, const struct object *base, struct arena *arena,
                            struct object *out[EXPLAIN_VARIANTS_MAX]);

/* The next selecting field of a variant and its value, as the key says them: *rest is what
 * explanation_selection() gave. False at the end. `absent`: only a request without the field
 * matches. */
struct selection {
    struct span names, values;
};
struct selection explanation_selection(const struct object *variant);
bool selection_next(struct selection *rest, struct span *name, struct span *value, bool *absent);

#endif
