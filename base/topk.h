/*
 * topk - the heaviest keys of a stream in bounded memory: space-saving (Metwally, Agrawal, El
 * Abbadi 2005), in sets. Belongs to one thread; copies may be read by any.
 *
 * A key can be in TOPK_WAYS places of one set. A new key replaces the lightest one of its set and
 * inherits its weight, so a weight is never too low, and too high by at most `over`. Every key with
 * more than 1/TOPK_WAYS of the weight that its set has seen is present. The counts of a key begin
 * with 0 when it takes a place, so they are never too high.
 */
#ifndef LARDER_BASE_TOPK_H
#define LARDER_BASE_TOPK_H

#include "base/siphash.h"

enum {
    TOPK_WAYS = 8,
    TOPK_KEY_MAX = 95, /* bytes kept of a key; longer keys are distinguished by their hash */
    TOPK_COUNTS = 12,
};

struct topk_place {
    uint64_t weight, over;
    uint64_t counts[TOPK_COUNTS]; /* their meaning is up to the owner */
    uint8_t len;                  /* of the key; 0: the place is free */
    char key[TOPK_KEY_MAX];
};

struct topk_set {
    uint64_t hashes[TOPK_WAYS]; /* a line of the CPU's cache */
    struct topk_place places[TOPK_WAYS];
};

struct topk {
    size_t mask;             /* sets - 1 */
    uint32_t last, last_way; /* place of the last key: often the next one is the same */
    struct topk_set sets[];
};

/* topk_init() initialises zeroed memory of topk_size(sets) bytes; `sets` is a power of two. */
size_t topk_size(size_t sets);
void topk_init(struct topk *topk, size_t sets);

/* Adds `weight` to `key` (not empty), and returns its counts, which the caller may increase. */
uint64_t *topk_add(struct topk *topk, const struct sip_key *secret, struct span key,
                   uint64_t weight);

/* ---- reading ---- */

/* Several sketches together: a row for each key. */
struct topk_rows {
    struct topk_place *at;
    size_t count;
};

/* Adds all places of `topk` as rows. topk_rows_merge() then joins rows with the same key, and sorts
 * them by descending weight. topk_rows_fini() frees them. */
void topk_rows_add(struct topk_rows *rows, const struct topk *topk);
void topk_rows_merge(struct topk_rows *rows, void (*merge)(uint64_t *into, const uint64_t *from));
void topk_rows_fini(struct topk_rows *rows);

static inline struct span topk_key(const struct topk_place *place)
{
    return span_of(place->key, place->len);
}

#endif
