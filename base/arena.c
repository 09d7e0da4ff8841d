#include "base/arena.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { ALIGN = 16, BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    size_t size;
    _Alignas(ALIGN) char bytes[];
};

void arena_init(struct arena *arena, void *first, size_t first_size)
{
    *arena = (struct arena){.first = first, .first_size = first_size};
    arena->at = first;
    arena->end = first ? arena->first + first_size : NULL;
}

void arena_count(struct arena *arena, enum memory_purpose purpose)
{
    CHECK(arena->blocks == NULL);
    arena->counted = (unsigned)purpose + 1;
}

void arena_reset(struct arena *arena)
{
    if (arena->counted && arena->allocated) {
        memory_give((enum memory_purpose)(arena->counted - 1), arena->allocated);
    }
    while (arena->blocks) {
        struct arena_block *older = arena->blocks->older;
        free(arena->blocks);
        arena->blocks = older;
    }
    arena->allocated = 0;
    arena->at = arena->first;
    arena->end = arena->first ? arena->first + arena->first_size : NULL;
}

void arena_fini(struct arena *arena)
{
    arena_reset(arena);
    *arena = (struct arena){0};
}

/* A new block is an eighth of what the arena has allocated: a large arena then consists of few
 * blocks, which the heap returns to the kernel when they are freed, and a small arena stays
 * small. */
static size_t block_size(const struct arena *arena)
{
    size_t share = arena->allocated / 8;

    return share < BLOCK_MIN ? BLOCK_MIN : share > BLOCK_MAX ? BLOCK_MAX : share;
}

static void add_block(struct arena *arena, size_t size)
{
    size_t usual = block_size(arena);
    size_t room = size > usual ? size : usual;
    struct arena_block *block = xmalloc(sizeof(*block) + room);

    block->older = arena->blocks;
    block->size = room;
    arena->blocks = block;
    arena->allocated += sizeof(*block) + room;
    if (arena->counted) {
        memory_take((enum memory_purpose)(arena->counted - 1), sizeof(*block) + room);
    }
    arena->at = block->bytes;
    arena->end = block->bytes + room;
}

void *arena_alloc_more(struct arena *arena, size_t size)
{
    size_t rounded = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);

    CHECK(rounded >= size);
    add_block(arena, rounded);
    void *memory = arena->at;
    arena->at += rounded;
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
    char *copy = arena_alloc(arena, bytes.len);

    if (bytes.len) {
        memcpy(copy, bytes.at, bytes.len);
    }
    return span_of(copy, bytes.len);
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;

    CHECK(format != NULL);
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return span_of(text, (size_t)len);
}
