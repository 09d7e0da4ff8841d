/*
 * pool - blocks that come and go with every request, kept for the next one. Not thread-safe.
 *
 * What it has from the heap, kept or taken, is counted as MEMORY_BUFFERS.
 *
 * Sizes are rounded up to a power of two between 128 bytes and 16 KiB; larger blocks come straight
 * from the heap. Each size keeps at most 256 KiB of free blocks. Builds with AddressSanitizer keep
 * none, so that it sees every use after the end.
 */
#ifndef LARDER_BASE_POOL_H
#define LARDER_BASE_POOL_H

#include <stddef.h>

#define POOL_CLASSES 8

struct pool_block;

struct pool {
    struct pool_block *free[POOL_CLASSES];
    size_t kept[POOL_CLASSES]; /* bytes in each list */
};

#define POOL_INIT ((struct pool){{NULL}, {0}})

/* Frees what is kept; blocks taken are their owners' business. */
void pool_fini(struct pool *pool);

/* Never NULL, aligned to 16, not zeroed. */
void *pool_take(struct pool *pool, size_t size);
/* `size` as it was taken. Accepts NULL. */
void pool_give(struct pool *pool, void *block, size_t size);

#endif
