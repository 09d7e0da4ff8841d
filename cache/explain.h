/*
 * explain - how a request would be answered, found out by the code that serves requests, but
 * without effects: no flight, nothing becomes hot or counts as used. For administrators.
 */
#ifndef LARDER_CACHE_EXPLAIN_H
#define LARDER_CACHE_EXPLAIN_H

#include "cache/cache.h"

enum { EXPLAIN_VARIANTS_MAX = 32 };

struct explanation {
    struct lookup lookup;      /* the keys, and the response found; no flight is joined */
    struct decision decision;  /* before the origin is asked */
    enum cache_result result;  /* of the lookup */
    struct table_view present; /* what memory has under lookup.key, without the object */

    /* of a URL with variants */
    struct span specs[OBJECT_VARY_MAX]; /* Vary specifications, oldest first; in the arena */
    size_t spec_count;
    struct object *variants[EXPLAIN_VARIANTS_MAX]; /* known variants; counted */
    size_t variant_count;
    size_t offered; /* how many of them the origin would be offered in If-None-Match */
};

/* Explains a request. query->waker is not used. Waits for the disk, so not for loops that serve
 * requests. */
void cache_explain(struct cache *cache, const struct cache_query *query, struct explanation *out);
void explanation_fini(struct explanation *explanation);

/* Finds the variants of a Vary base that are in memory, and the latest ones with an ETag, which may
 * be on disk. Returns how many; each is counted. Waits for the disk. */
size_t cache_known_variants(struct cache *cache, const struct object *base, struct arena *arena,
                            struct object *out[EXPLAIN_VARIANTS_MAX]);

/* Iterates over the selecting fields of a variant and their values, as its key has them. *rest
 * begins as explanation_selection(). False at the end. `absent`: only a request without the field
 * matches. */
struct selection {
    struct span names, values;
};
struct selection explanation_selection(const struct object *variant);
bool selection_next(struct selection *rest, struct span *name, struct span *value, bool *absent);

#endif
