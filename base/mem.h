/*
 * mem - allocation that does not fail. Thread-safe. Small allocations abort when there is no
 * memory; sizes that a peer controls must be bounded before. Free with free().
 */
#ifndef LARDER_BASE_MEM_H
#define LARDER_BASE_MEM_H

#include "base/check.h"
#include "base/span.h"

#include <stdlib.h>

static inline void *xmalloc(size_t size)
{
    void *memory = malloc(size ? size : 1);
    CHECK(memory != NULL);
    return memory;
}

/* For small sizes malloc() and memset(): glibc's calloc() does not use the thread's cache of freed
 * blocks. For large sizes calloc(), which knows which pages are zero already. */
#define XCALLOC_SMALL 4096

static inline void *xcalloc(size_t count, size_t size)
{
    size_t bytes;

    if (!__builtin_mul_overflow(count, size, &bytes) && bytes <= XCALLOC_SMALL) {
        void *small = xmalloc(bytes);
        __asm__("" : "+r"(small)); /* prevents the compiler from making one calloc() of both */
        return memset(small, 0, bytes);
    }
    void *memory = calloc(count, size);
    CHECK(memory != NULL);
    return memory;
}

static inline void *xrealloc(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);
    CHECK(memory != NULL);
    return memory;
}

/* A NUL-terminated copy, for system calls and settings. */
static inline char *xstrndup(const char *text, size_t len)
{
    char *copy = xmalloc(len + 1);

    if (len) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}

static inline char *xspandup(struct span text)
{
    return xstrndup(text.at, text.len);
}

#endif
