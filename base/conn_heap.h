/*
 * conn_heap - a small heap for what one connection has, inside one block of pages. While the
 * connection is idle all of it can be packed: it is compressed by leaving out zeros, its pages are
 * given back, and later it is restored at the same addresses, so that pointers stay valid. Nobody
 * may access it meanwhile. Not thread-safe.
 *
 * What is too large, or finds no room, has to be allocated elsewhere. Under AddressSanitizer that
 * is everything, so that it can check every block.
 */
#ifndef LARDER_BASE_CONN_HEAP_H
#define LARDER_BASE_CONN_HEAP_H

#include "base/pages.h"

#include <stdbool.h>

#define CONN_HEAP_MOST 4000 /* bytes of one allocation */

struct conn_heap {
    struct pages *pages;
    struct pages_block block; /* empty: there were no pages */
    size_t top;               /* end of everything ever allocated */
    char *packed;             /* the compressed content, from malloc(); NULL: not packed */
    size_t counted;           /* bytes of it counted in base/memory.h as MEMORY_CONNECTIONS */
};

/* Takes a block of `pages`, which must outlive it. If there is none, every allocation fails. */
void conn_heap_init(struct conn_heap *heap, struct pages *pages);
/* Frees everything in it, packed or not. */
void conn_heap_fini(struct conn_heap *heap);

/* `size` bytes aligned to 16, not zeroed. NULL: there is no room, or `size` is above
 * CONN_HEAP_MOST. */
void *conn_heap_alloc(struct conn_heap *heap, size_t size);
/* Was it allocated here? */
bool conn_heap_owns(const struct conn_heap *heap, const void *content);
/* Usable bytes of an allocation, at least those asked for. */
size_t conn_heap_size(const void *content);
void conn_heap_free(struct conn_heap *heap, void *content);

/* Compresses the content and gives the pages back. Does nothing when it is packed already. */
void conn_heap_pack(struct conn_heap *heap);
/* Restores the content where it was. Does nothing when it is not packed. */
void conn_heap_unpack(struct conn_heap *heap);

#endif
