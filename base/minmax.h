/*
 * minmax - the smaller and the larger of two numbers, of one type, and each looked at once. Pure.
 */
#ifndef LARDER_BASE_MINMAX_H
#define LARDER_BASE_MINMAX_H

#include <stdint.h>

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
