/*
 * ghosts - what has left a cache lately: tags, 4 bytes each, in buckets, the newest first.
 *
 * A tag is any 32 bits of a key's hash, always the same ones. Two keys may share one: a ghost is a
 * hint. Belongs to one thread, or to who holds the lock.
 */
#ifndef LARDER_CACHE_STORE_GHOSTS_H
#define LARDER_CACHE_STORE_GHOSTS_H

#include "base/span.h"

/* Zeroed, it is empty and has no memory. */
struct ghosts {
    uint32_t *tags;
    uint32_t bits; /* 2^bits buckets */
};

void ghosts_fini(struct ghosts *ghosts);

/* Memory is taken as they come. `objects`: how many there are in the cache; as many ghosts, or up
 * to twice as many, are remembered. */
void ghosts_put(struct ghosts *ghosts, uint32_t tag, uint64_t objects);
/* Is it there? Then it is taken away. */
bool ghosts_take(struct ghosts *ghosts, uint32_t tag);

size_t ghosts_bytes(const struct ghosts *ghosts);

#endif
