/*
 * expect - asks for memory that is read soon: all its lines of the processor's cache at once;
 * else each is waited for when it is come to. Reads nothing: any address will do.
 */
#ifndef LARDER_BASE_EXPECT_H
#define LARDER_BASE_EXPECT_H

#include <stddef.h>

#define EXPECT_LINE 64

static inline void expect(const void *at, size_t len)
{
    for (size_t i = 0; i < len; i += EXPECT_LINE) {
        __builtin_prefetch((const char *)at + i);
    }
}

#endif
