/*
 * prefetch - loads memory that will be read soon into the cache of the processor: all its lines at
 * once, instead of waiting for one after the other. Reads nothing, so any address is allowed.
 */
#ifndef LARDER_BASE_PREFETCH_H
#define LARDER_BASE_PREFETCH_H

#include <stddef.h>

#define PREFETCH_LINE 64

static inline void prefetch(const void *at, size_t len)
{
    for (size_t i = 0; i < len; i += PREFETCH_LINE) {
        __builtin_prefetch((const char *)at + i);
    }
}

#endif
