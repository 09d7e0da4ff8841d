#include "base/pool.h"

#include "base/prefetch.h"
#include "base/mem.h"
#include "base/memory.h"

#define CLASS_SHIFT 7 /* the smallest class: 128 bytes */

#if defined(__SANITIZE_ADDRESS__)
#define CLASS_KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CLASS_KEEPS 0
#endif
#endif
#ifndef CLASS_KEEPS
#define CLASS_KEEPS ((size_t)256 * 1024)
#endif

struct pool_block {
    struct pool_block *next;
};

/* The class of blocks that holds `size` bytes; POOL_CLASSES: none does. */
static size_t class_of(size_t size)
{
    size_t size_class = 0;

    while (size_class < POOL_CLASSES && ((size_t)1 << (CLASS_SHIFT + size_class)) < size) {
        size_class++;
    }
    return size_class;
}

static size_t class_size(size_t size_class)
{
    return (size_t)1 << (CLASS_SHIFT + size_class);
}

static void *heap_new(size_t size)
{
    memory_take(MEMORY_BUFFERS, size);
    return xmalloc(size);
}

static void heap_free(void *block, size_t size)
{
    memory_give(MEMORY_BUFFERS, size);
    free(block);
}

void pool_fini(struct pool *pool)
{
    for (size_t size_class = 0; size_class < POOL_CLASSES; size_class++) {
        while (pool->free[size_class]) {
            struct pool_block *block = pool->free[size_class];
            pool->free[size_class] = block->next;
            heap_free(block, class_size(size_class));
        }
    }
    *pool = POOL_INIT;
}

void *pool_take(struct pool *pool, size_t size)
{
    size_t size_class = class_of(size);

    if (size_class == POOL_CLASSES) {
        return heap_new(size);
    }
    struct pool_block *block = pool->free[size_class];
    if (!block) {
        return heap_new(class_size(size_class));
    }
    pool->free[size_class] = block->next;
    pool->kept[size_class] -= class_size(size_class);
    prefetch(block->next, sizeof(*block->next)); /* the next pool_take() reads it */
    return block;
}

void pool_give(struct pool *pool, void *block, size_t size)
{
    size_t size_class = class_of(size);

    if (!block) {
        return;
    }
    if (size_class == POOL_CLASSES ||
        pool->kept[size_class] + class_size(size_class) > CLASS_KEEPS) {
        heap_free(block, size_class == POOL_CLASSES ? size : class_size(size_class));
        return;
    }
    struct pool_block *given = block;
    given->next = pool->free[size_class];
    pool->free[size_class] = given;
    pool->kept[size_class] += class_size(size_class);
}
