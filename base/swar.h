/*
 * swar - looks at eight bytes of text at once, with plain arithmetic on a word. Pure. A mask has
 * the high bit set in each byte for which something is true, and no other bits. All masks are
 * exact: no byte affects the result for its neighbour.
 */
#ifndef LARDER_BASE_SWAR_H
#define LARDER_BASE_SWAR_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define SWAR_ONES UINT64_C(0x0101010101010101)
#define SWAR_HIGH (SWAR_ONES * 0x80)
#define SWAR_LOW (SWAR_ONES * 0x7f)

/* Loads eight bytes; the first becomes the lowest. */
static inline uint64_t swar_load(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

/* The other way round. */
static inline void swar_store(void *at, uint64_t word)
{
    word = htole64(word);
    memcpy(at, &word, sizeof(word));
}

/* Bytes below `limit`, which is at most 0x80. */
static inline uint64_t swar_below(uint64_t word, uint8_t limit)
{
    return ~((word & SWAR_LOW) + SWAR_ONES * (uint8_t)(0x80 - limit)) & ~word & SWAR_HIGH;
}

/* Bytes that are `byte`. */
static inline uint64_t swar_is(uint64_t word, uint8_t byte)
{
    uint64_t other = word ^ SWAR_ONES * byte;

    return ~((other & SWAR_LOW) + SWAR_LOW) & ~other & SWAR_HIGH;
}

/* Control characters: those below a space, and DEL. */
static inline uint64_t swar_controls(uint64_t word)
{
    return swar_below(word, ' ') | swar_is(word, 0x7f);
}

/* The word with its ASCII letters in lower case. */
static inline uint64_t swar_lower(uint64_t word)
{
    uint64_t upper = swar_below(word, 'Z' + 1) & ~swar_below(word, 'A');

    return word | upper >> 2;
}

/* All but visible ASCII. */
static inline uint64_t swar_invisible(uint64_t word)
{
    return swar_below(word, ' ' + 1) | swar_is(word, 0x7f) | (word & SWAR_HIGH);
}

/* The index of the first byte in a mask, which must not be 0. */
static inline unsigned swar_first(uint64_t mask)
{
    return (unsigned)__builtin_ctzll(mask) / 8;
}

#endif
