/* put - writes text piece by piece; the caller makes sure that there is room. Pure. */
#ifndef LARDER_HTTP_PUT_H
#define LARDER_HTTP_PUT_H

#include "base/span.h"

#define PUT_NUMBER_MAX 20 /* digits of the largest number */

/* Each function writes at `at` and returns the end of what it wrote. */
static inline char *put_span(char *at, struct span text)
{
    if (text.len) {
        memcpy(at, text.at, text.len);
    }
    return at + text.len;
}

/* How many digits a number has. */
static inline size_t number_len(uint64_t number)
{
    size_t len = 1;

    for (uint64_t limit = 10; number >= limit && len < PUT_NUMBER_MAX; limit *= 10) {
        len++;
    }
    return len;
}

/* The last `len` digits, with leading zeros. */
static inline char *put_digits(char *at, uint64_t number, size_t len)
{
    for (char *to = at + len; to > at; number /= 10) {
        *--to = (char)('0' + number % 10);
    }
    return at + len;
}

static inline char *put_number(char *at, uint64_t number)
{
    return put_digits(at, number, number_len(number));
}

#endif
