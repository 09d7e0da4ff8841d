/*
 * pages - blocks of whole pages for large things that are needed now and then. They are outside the
 * heap, where they would leave gaps, and a resting block has no memory at all. Not thread-safe.
 *
 * Blocks of one size are in runs of 64. A run without blocks in use goes back to the system, except
 * the last one. Of the blocks given back, a few keep their memory for the next user; that is
 * counted as MEMORY_BUFFERS. Blocks in use are counted by their users.
 */
#ifndef LARDER_BASE_PAGES_H
#define LARDER_BASE_PAGES_H

#include "base/list.h"

#include <stddef.h>

#define PAGES_SIZE 4096
#define PAGES_MOST 8 /* of one block */

struct pages_run;

struct pages {
    struct list runs[PAGES_MOST]; /* by size; those with free blocks first */
    size_t warm;                  /* bytes of free blocks that keep their memory */
};

struct pages_block {
    void *at; /* NULL: none */
    size_t size;
    struct pages_run *run;
};

/* Are blocks allocated on the heap instead, as under AddressSanitizer? */
bool pages_are_heap(void);

void pages_init(struct pages *pages);
/* No block may be in use. */
void pages_fini(struct pages *pages);

/* Takes a block of at least `size` bytes, rounded up to pages (block->size), with undefined
 * content. False: it would have more than PAGES_MOST pages, or there is no memory; *block is
 * empty. */
bool pages_take(struct pages *pages, size_t size, struct pages_block *block);
/* Gives a block back, and empties *block. */
void pages_give(struct pages *pages, struct pages_block *block);
/* Frees the memory of a block whose content is not needed. It is all zeros then, and gets memory
 * again when it is written. */
void pages_rest(const struct pages_block *block);

#endif
