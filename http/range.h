/*
 * range - parses and writes Range and Content-Range (RFC 9110 14). Pure; 64-bit checked arithmetic.
 *
 * Numbers beyond 64 bits saturate. A set of ranges is bounded before and after its ranges are
 * joined, so that no request costs more work or bytes than the whole representation and a few
 * lines.
 */
#ifndef LARDER_HTTP_RANGE_H
#define LARDER_HTTP_RANGE_H

#include "http/headers.h"

#define RANGES_MAX 16      /* answered, after coalescing */
#define RANGE_SPECS_MAX 64 /* read */

struct byte_range {
    uint64_t first, last; /* inclusive */
};

struct byte_ranges {
    size_t count;
    struct byte_range at[RANGES_MAX]; /* in the order of the request; joined where they touch */
};

enum range_result {
    RANGE_IGNORE, /* absent, another unit, malformed, too many, or together longer than the whole:
                     send the whole */
    RANGE_OK,
    RANGE_UNSATISFIABLE, /* 416 */
};

/* Resolves a Range value for a representation of `length` bytes. If some of several ranges lie
 * behind its end, they are left out. */
enum range_result range_parse(struct span value, uint64_t length, struct byte_ranges *out);

/* The form of a Range value, as far as it is known without the length: for requests to the
 * origin. */
enum range_form {
    RANGE_FORM_NONE,    /* absent, another unit, malformed, or too many: to be ignored */
    RANGE_FORM_CLOSED,  /* "first-last" */
    RANGE_FORM_OPEN,    /* "first-" */
    RANGE_FORM_SUFFIX,  /* "-suffix" */
    RANGE_FORM_SEVERAL, /* more than one range */
};

struct range_wish {
    enum range_form form;
    uint64_t first, last; /* as the form says; the length of a suffix is in `last`, and may be 0 */
};

struct range_wish range_read(struct span value);
/* Writes the value "bytes=…" again. Only for the three forms with a single range. */
struct span range_format(const struct range_wish *wish, struct arena *arena);

/* Parses "bytes 0-4/10", the same with "*" for an unknown length (*length is -1 then), or the
 * unsatisfied form, which has "*" for the range and sets *unsatisfied. False: malformed or
 * contradictory. */
bool content_range_parse(struct span value, struct byte_range *range, int64_t *length,
                         bool *unsatisfied);
struct span content_range_format(struct byte_range range, int64_t length, struct arena *arena);
/* Writes the unsatisfied form. */
struct span content_range_unsatisfied(uint64_t length, struct arena *arena);

#endif
