/* range - Range in, Content-Range both ways (RFC 9110 14). Pure; 64-bit checked arithmetic. */
#ifndef LARDER_HTTP_RANGE_H
#define LARDER_HTTP_RANGE_H

#include "http/headers.h"

#define RANGES_MAX 16

struct byte_range {
    uint64_t first, last; /* inclusive */
};

struct byte_ranges {
    size_t count;
    struct byte_range at[RANGES_MAX]; /* coalesced where they overlap or touch, in request order */
};

enum range_result {
    RANGE_IGNORE, /* absent, another unit, malformed, or too many: answer with the whole */
    RANGE_OK,
    RANGE_UNSATISFIABLE, /* 416 */
};

/* Resolves a Range value against a representation of `length` bytes. */
enum range_result range_parse(struct span value, uint64_t length, struct byte_ranges *out);

/* "bytes 0-4/10", "bytes 0-4/\*" or the unsatisfied form with "*" as range. length -1: unknown.
 * False when malformed; unsatisfied form sets *unsatisfied. */
bool content_range_parse(struct span value, struct byte_range *range, int64_t *length,
                         bool *unsatisfied);
struct span content_range_format(struct byte_range range, int64_t length, struct arena *arena);

#endif
