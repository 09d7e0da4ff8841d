/*
 * chunk_size - the size of a chunk (RFC 9112 7.1), as clients and origins of tests read it. Written
 * anew, so that tests do not believe the parser they test. Pure.
 */
#ifndef LARDER_TESTS_LIB_CHUNK_SIZE_H
#define LARDER_TESTS_LIB_CHUNK_SIZE_H

#include "base/span.h"

/* Reads hexadecimal digits, at most 15 of them. Returns false if that is not all there is. */
static inline bool chunk_size_read(struct span digits, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = ascii_lower(digits.at[i]);
        bool letter = c >= 'a' && c <= 'f';
        if (i == 15 || (!letter && !ascii_is_digit(c))) {
            return false;
        }
        *out = *out * 16 + (uint64_t)(letter ? c - 'a' + 10 : c - '0');
    }
    return digits.len > 0;
}

#endif
