/*
 * bitmap - a bit for each of many things, which is only ever set. Bits behind its end are 0 and
 * stay so. Thread-safe between _init and _fini; no order with other memory. Parts that were never
 * touched cost no memory: they are zero pages.
 */
#ifndef LARDER_CACHE_STORE_BITMAP_H
#define LARDER_CACHE_STORE_BITMAP_H

#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct bitmap {
    _Atomic uint64_t *words;
    size_t bits;
};

/* `bits` is rounded down to a multiple of 64. */
static inline void bitmap_init(struct bitmap *map, uint64_t bits)
{
    map->bits = (size_t)bits / 64 * 64;
    map->words = xcalloc(map->bits / 64, sizeof(*map->words));
}

static inline bool bitmap_has(const struct bitmap *map, size_t bit)
{
    return bit < map->bits &&
           (atomic_load_explicit(&map->words[bit / 64], memory_order_relaxed) >> bit % 64 & 1);
}

static inline void bitmap_set(struct bitmap *map, size_t bit)
{
    if (bit < map->bits) {
        atomic_fetch_or_explicit(&map->words[bit / 64], UINT64_C(1) << bit % 64,
                                 memory_order_relaxed);
    }
}

static inline void bitmap_fini(struct bitmap *map)
{
    free(map->words);
    *map = (struct bitmap){0};
}

#endif
