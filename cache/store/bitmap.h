/*
 * bitmap - a set of bits that are set one by one. Bits behind its end are 0. Thread-safe between
 * _init and _fini; relaxed memory order. Takes memory when the first bit is set.
 */
#ifndef LARDER_CACHE_STORE_BITMAP_H
#define LARDER_CACHE_STORE_BITMAP_H

#include "base/mem.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct bitmap {
    _Atomic uint64_t *_Atomic words; /* NULL: none is set */
    size_t bits;
};

/* `bits` is rounded down to a multiple of 64. */
static inline void bitmap_init(struct bitmap *map, uint64_t bits)
{
    map->bits = (size_t)bits / 64 * 64;
    atomic_init(&map->words, NULL);
}

static inline bool bitmap_has(const struct bitmap *map, size_t bit)
{
    const _Atomic uint64_t *words = atomic_load_explicit(&map->words, memory_order_acquire);

    return words && bit < map->bits &&
           (atomic_load_explicit(&words[bit / 64], memory_order_relaxed) >> bit % 64 & 1);
}

static inline _Atomic uint64_t *bitmap_words(struct bitmap *map)
{
    _Atomic uint64_t *words = atomic_load_explicit(&map->words, memory_order_acquire);

    if (words) {
        return words;
    }
    _Atomic uint64_t *fresh = xcalloc(map->bits / 64, sizeof(*fresh));
    if (atomic_compare_exchange_strong_explicit(&map->words, &words, fresh, memory_order_acq_rel,
                                                memory_order_acquire)) {
        memory_take(MEMORY_STORE, map->bits / 8);
        return fresh;
    }
    free(fresh); /* another thread was faster */
    return words;
}

static inline void bitmap_set(struct bitmap *map, size_t bit)
{
    if (bit < map->bits) {
        atomic_fetch_or_explicit(&bitmap_words(map)[bit / 64], UINT64_C(1) << bit % 64,
                                 memory_order_relaxed);
    }
}

/* Of all bits. */
static inline void bitmap_clear(struct bitmap *map)
{
    _Atomic uint64_t *words = atomic_load_explicit(&map->words, memory_order_acquire);

    for (size_t i = 0; words && i < map->bits / 64; i++) {
        atomic_store_explicit(&words[i], 0, memory_order_relaxed);
    }
}

static inline void bitmap_fini(struct bitmap *map)
{
    if (map->words) {
        memory_give(MEMORY_STORE, map->bits / 8);
    }
    free(map->words);
    *map = (struct bitmap){.bits = 0};
}

#endif
