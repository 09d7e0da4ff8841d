/*
 * pool - a cache of blocks that are needed for every request. Not thread-safe. Counted as
 * MEMORY_BUFFERS, whether in use or free.
 *
 * Sizes are rounded up to a power of two from 128 bytes to 16 KiB; larger blocks come from the
 * heap. At most 256 KiB of free blocks are kept for each size; with AddressSanitizer none, so that
 * it sees every use after free.
 */
#ifndef LARDER_BASE_POOL_H
#define LARDER_BASE_POOL_H

#include <stddef.h>

#define POOL_CLASSES 8

struct pool_block;

struct pool {
    struct pool_block *free[POOL_CLASSES];
    size_t kept[POOL_CLASSES]; /* bytes of free blocks */
};

#define POOL_INIT ((struct pool){{NULL}, {0}})

/* Frees the free blocks; those in use belong to their owners. */
void pool_fini(struct pool *pool);

/* Never NULL, aligned to 16, not zeroed. */
void *pool_take(struct pool *pool, size_t size);
/* `size` as given to pool_take(). Accepts NULL. */
void pool_give(struct pool *pool, void *block, size_t size);

#endif
