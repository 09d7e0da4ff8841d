/*
 * pages - blocks of whole pages for what is large, needed now and then, and of no use in between:
 * they lie outside the heap, where they leave no gaps between small things, and one that rests has
 * no memory at all. Not thread-safe.
 *
 * Blocks of one size lie in runs of 64. A run of which no block is taken goes back to the system,
 * all but the last one.
 * Of those that are given back a few keep their memory for the next one; what they keep is counted
 * as MEMORY_BUFFERS. What is taken counts whoever took it.
 */
#ifndef LARDER_BASE_PAGES_H
#define LARDER_BASE_PAGES_H

#include "base/list.h"

#include <stddef.h>

#define PAGES_SIZE 4096
#define PAGES_MOST 8 /* of one block */

struct pages_run;

struct pages {
    struct list runs[PAGES_MOST]; /* by size; those with room first */
    size_t warm;                  /* bytes of blocks that nobody has, and that keep their memory */
};

struct pages_block {
    void *at; /* NULL: none */
    size_t size;
    struct pages_run *run;
};

/* Whether blocks are the heap's instead, as they are under AddressSanitizer. */
bool pages_are_heap(void);

void pages_init(struct pages *pages);
/* No block may be taken any more. */
void pages_fini(struct pages *pages);

/* A block of at least `size` bytes, rounded up to pages: block->size. Its content is undefined.
 * False when it would be more than PAGES_MOST pages, or the system has no room: *block is empty. */
bool pages_take(struct pages *pages, size_t size, struct pages_block *block);
/* Empties *block. */
void pages_give(struct pages *pages, struct pages_block *block);
/* Nothing in it is needed: its memory goes back to the system. It is all zeros, and its own again
 * from the first write on. */
void pages_rest(const struct pages_block *block);

#endif
