/*
 * arena - a bump allocator: all memory of one exchange or one query, freed at once. Not
 * thread-safe.
 *
 * Memory is never freed piece by piece. The first block may belong to the caller (on the stack, or
 * inside a pooled struct); arena_reset() keeps it and frees the others, so that an exchange in a
 * steady state allocates nothing.
 */
#ifndef LARDER_BASE_ARENA_H
#define LARDER_BASE_ARENA_H

#include "base/memory.h"
#include "base/span.h"

struct arena_block;

struct arena {
    char *at;    /* next free byte of the current block */
    char *end;   /* end of the current block */
    char *first; /* the caller's block, or NULL */
    size_t first_size;
    struct arena_block *blocks; /* allocated ones, newest first */
    size_t allocated;           /* bytes in them */
    unsigned counted;           /* 1 + the purpose they are counted under; 0: not counted */
};

/* `first` (may be NULL) must be aligned to 16 and outlive the arena. */
void arena_init(struct arena *arena, void *first, size_t first_size);
/* Counts its blocks in base/memory.h. To be called before the first is allocated. */
void arena_count(struct arena *arena, enum memory_purpose purpose);
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena);

/* As arena_alloc(), from a new block. */
void *arena_alloc_more(struct arena *arena, size_t size);

/* Never NULL, aligned to 16, not zeroed. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;
    char *memory = arena->at;

    if (memory == NULL || rounded < size || (size_t)(arena->end - memory) < rounded) {
        return arena_alloc_more(arena, size);
    }
    arena->at = memory + rounded;
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size);

struct span arena_copy(struct arena *arena, struct span bytes);
__attribute__((format(printf, 2, 3))) struct span arena_printf(struct arena *arena,
                                                               const char *format, ...);
#endif
