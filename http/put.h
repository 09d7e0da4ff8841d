/* put - writes text piece by piece into room that the caller has made sure of. Pure. */
#ifndef LARDER_HTTP_PUT_H
#define LARDER_HTTP_PUT_H

#include "base/span.h"

#define PUT_NUMBER_MAX 20 /* digits of the largest number */

/* Both return the place behind what they wrote. */
static inline char *put_span(char *at, struct span text)
{
    if (text.len) {
        memcpy(at, text.at, text.len);
    }
    return at + text.len;
}

static inline char *put_number(char *at, uint64_t number)
{
    char digits[PUT_NUMBER_MAX];
    size_t start = sizeof(digits);

    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return put_span(at, span_of(digits + start, sizeof(digits) - start));
}

#endif
