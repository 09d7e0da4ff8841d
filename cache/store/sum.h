/*
 * sum - checksums of bytes lent from a mapping. A thread that must not wait cannot compute one
 * through the mapping, as the kernel may evict pages after they were checked; this works page by
 * page. Thread-safe.
 */
#ifndef LARDER_CACHE_STORE_SUM_H
#define LARDER_CACHE_STORE_SUM_H

#include "cache/store/walk.h"

/* XXH3 (64 bits) of `bytes`, which are in the mapping of `env`. Returns 0; ERR_AGAIN (WALK_NOW: not
 * all are in memory); or -EIO. */
int sum_lent(const struct env *env, struct span bytes, enum walk_way way, uint64_t *sum);

#endif
