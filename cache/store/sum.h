/*
 * sum - checksums of bytes that are lent out of the mapping of a file. Who must not wait for the
 * disk cannot compute one through the mapping: there are many pages, and the kernel may take each
 * away between the look and the touch. It is told page by page instead. Any thread.
 */
#ifndef LARDER_CACHE_STORE_SUM_H
#define LARDER_CACHE_STORE_SUM_H

#include "cache/store/walk.h"

/* XXH3, 64 bits, of `bytes`, which lie in the mapping of `env`. 0; ERR_AGAIN (WALK_NOW: not all are
 * in memory); -EIO where the disk cannot be read. */
int sum_lent(const struct env *env, struct span bytes, enum walk_way way, uint64_t *sum);

#endif
