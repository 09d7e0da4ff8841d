/*
 * ghosts - remembers what has left a cache lately, as tags of 4 bytes in buckets, newest first. A
 * tag is 32 bits of a key's hash; keys may share one, so a ghost is only a hint. Belongs to one
 * thread, or to a lock.
 */
#ifndef LARDER_CACHE_STORE_GHOSTS_H
#define LARDER_CACHE_STORE_GHOSTS_H

#include "base/span.h"

/* Zeroed: empty, without memory. */
struct ghosts {
    uint32_t *tags;
    uint32_t bits; /* 2^bits buckets */
};

void ghosts_fini(struct ghosts *ghosts);

/* Adds a ghost. Memory grows as they come. `objects`: how many the cache has; as many ghosts, at
 * most twice as many, are remembered. */
void ghosts_put(struct ghosts *ghosts, uint32_t tag, uint64_t objects);
/* Was there a ghost with this tag? It is removed. */
bool ghosts_take(struct ghosts *ghosts, uint32_t tag);

size_t ghosts_bytes(const struct ghosts *ghosts);

#endif
