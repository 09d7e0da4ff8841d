#include "base/topk.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

size_t topk_size(size_t sets)
{
    return sizeof(struct topk) + sets * sizeof(struct topk_set);
}

void topk_init(struct topk *topk, size_t sets)
{
    CHECK(sets > 0 && (sets & (sets - 1)) == 0);
    memset(topk, 0, topk_size(sets));
    topk->mask = sets - 1;
}

/* ---- counting ---- */

static bool has_place(const struct topk_set *set, size_t way, uint64_t hash, struct span key)
{
    const struct topk_place *place = &set->places[way];
    size_t kept = key.len < TOPK_KEY_MAX ? key.len : TOPK_KEY_MAX;

    return set->hashes[way] == hash && place->len == kept && memcmp(place->key, key.at, kept) == 0;
}

static size_t lightest(const struct topk_set *set)
{
    size_t least = 0;

    for (size_t way = 1; way < TOPK_WAYS; way++) {
        if (set->places[way].weight < set->places[least].weight) {
            least = way;
        }
    }
    return least;
}

static void take_over(struct topk_set *set, size_t way, uint64_t hash, struct span key)
{
    struct topk_place *place = &set->places[way];
    size_t kept = key.len < TOPK_KEY_MAX ? key.len : TOPK_KEY_MAX;

    set->hashes[way] = hash;
    place->over = place->weight;
    memset(place->counts, 0, sizeof(place->counts));
    place->len = (uint8_t)kept;
    memcpy(place->key, key.at, kept);
}

/* A short key is kept whole, so comparing it needs no hash. */
static bool is_last(const struct topk *topk, struct span key)
{
    const struct topk_place *place = &topk->sets[topk->last].places[topk->last_way];

    return key.len < TOPK_KEY_MAX && place->len == key.len &&
           memcmp(place->key, key.at, key.len) == 0;
}

/* Finds the place of the key, or replaces the lightest key of its set. */
static void find_place(struct topk *topk, const struct sip_key *secret, struct span key)
{
    uint64_t hash = sip_hash64(secret, key);
    struct topk_set *set = &topk->sets[hash & topk->mask];
    size_t way = 0;

    while (way < TOPK_WAYS && !has_place(set, way, hash, key)) {
        way++;
    }
    if (way == TOPK_WAYS) {
        way = lightest(set);
        take_over(set, way, hash, key);
    }
    topk->last = (uint32_t)(hash & topk->mask);
    topk->last_way = (uint32_t)way;
}

uint64_t *topk_add(struct topk *topk, const struct sip_key *secret, struct span key,
                   uint64_t weight)
{
    CHECK(key.len > 0);
    if (!is_last(topk, key)) {
        find_place(topk, secret, key);
    }
    struct topk_place *place = &topk->sets[topk->last].places[topk->last_way];
    place->weight += weight;
    return place->counts;
}

/* ---- reading ---- */

void topk_rows_add(struct topk_rows *rows, const struct topk *topk)
{
    size_t most = rows->count + (topk->mask + 1) * TOPK_WAYS;

    rows->at = xrealloc(rows->at, most * sizeof(*rows->at));
    for (size_t i = 0; i <= topk->mask; i++) {
        for (size_t way = 0; way < TOPK_WAYS; way++) {
            if (topk->sets[i].places[way].len) {
                rows->at[rows->count++] = topk->sets[i].places[way];
            }
        }
    }
}

static int by_key(const void *a, const void *b)
{
    const struct topk_place *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);

    return order ? order : x->len - y->len;
}

static int heaviest_first(const void *a, const void *b)
{
    const struct topk_place *x = a, *y = b;

    return x->weight != y->weight ? (x->weight < y->weight ? 1 : -1) : by_key(a, b);
}

void topk_rows_merge(struct topk_rows *rows, void (*merge)(uint64_t *into, const uint64_t *from))
{
    size_t kept = 0;

    if (rows->count == 0) {
        return;
    }
    qsort(rows->at, rows->count, sizeof(*rows->at), by_key);
    for (size_t i = 1; i < rows->count; i++) {
        struct topk_place *into = &rows->at[kept];
        if (by_key(into, &rows->at[i]) != 0) {
            rows->at[++kept] = rows->at[i];
            continue;
        }
        into->weight += rows->at[i].weight;
        into->over += rows->at[i].over;
        merge(into->counts, rows->at[i].counts);
    }
    rows->count = kept + 1;
    qsort(rows->at, rows->count, sizeof(*rows->at), heaviest_first);
}

void topk_rows_fini(struct topk_rows *rows)
{
    free(rows->at);
    *rows = (struct topk_rows){0};
}
