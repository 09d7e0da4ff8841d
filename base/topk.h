/*
 * topk - the heaviest keys of a stream, in memory that does not grow: space-saving (Metwally,
 * Agrawal, El Abbadi 2005), in sets. Belongs to one thread; copies of it may be read by any.
 *
 * A key has one set of TOPK_WAYS places. One that is in none takes over the lightest place of its
 * set, with the weight that this has: so the weight of a key is never too low, and too high by at
 * most `over`. Whatever has more than 1/TOPK_WAYS of what its set has seen is there. The counts of
 * a key begin anew when it takes a place over: they are never too high.
 */
#ifndef LARDER_BASE_TOPK_H
#define LARDER_BASE_TOPK_H

#include "base/siphash.h"

enum {
    TOPK_WAYS = 8,
    TOPK_KEY_MAX = 95, /* bytes that are kept; longer keys are told apart by their hash */
    TOPK_COUNTS = 12,
};

struct topk_place {
    uint64_t weight, over;
    uint64_t counts[TOPK_COUNTS]; /* what they count is the owner's business */
    uint8_t len;                  /* of the key; 0: nobody has this place */
    char key[TOPK_KEY_MAX];
};

struct topk_set {
    uint64_t hashes[TOPK_WAYS]; /* a line of the CPU's cache */
    struct topk_place places[TOPK_WAYS];
};

struct topk {
    size_t mask;             /* sets - 1 */
    uint32_t last, last_way; /* where the last key went: mostly the next one is the same */
    struct topk_set sets[];
};

/* Zeroed memory of topk_size(sets) bytes is empty after this; `sets` is a power of two. */
size_t topk_size(size_t sets);
void topk_init(struct topk *topk, size_t sets);

/* The place of `key` (not empty), `weight` heavier. Its counts are for the caller to raise. */
uint64_t *topk_add(struct topk *topk, const struct sip_key *secret, struct span key,
                   uint64_t weight);

/* ---- reading ---- */

/* What several sketches say together: a row for each key. */
struct topk_rows {
    struct topk_place *at;
    size_t count;
};

/* Adds all places of `topk` to the rows; topk_rows_merge() makes rows of the same key one, heaviest
 * first. topk_rows_fini() frees them. */
void topk_rows_add(struct topk_rows *rows, const struct topk *topk);
void topk_rows_merge(struct topk_rows *rows, void (*merge)(uint64_t *into, const uint64_t *from));
void topk_rows_fini(struct topk_rows *rows);

static inline struct span topk_key(const struct topk_place *place)
{
    return span_of(place->key, place->len);
}

#endif
