/*
 * range - Range in and out, Content-Range both ways (RFC 9110 14). Pure; 64-bit checked arithmetic.
 *
 * Numbers beyond 64 bits saturate: no representation is as long. What a Range field asks for is
 * bounded twice, before its ranges are joined and after, so that no set is answered by more work or
 * more bytes than the whole representation and a few lines.
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
    struct byte_range at[RANGES_MAX]; /* coalesced where they overlap or touch, in request order */
};

enum range_result {
    RANGE_IGNORE, /* absent, another unit, malformed, too many, or together longer than the whole:
                   * answer with the whole */
    RANGE_OK,
    RANGE_UNSATISFIABLE, /* 416 */
};

/* Resolves a Range value against a representation of `length` bytes. Of several ranges those that
 * lie behind its end are left out. */
enum range_result range_parse(struct span value, uint64_t length, struct byte_ranges *out);

/* What a Range value asks for when the length is not known: for asking the origin. */
enum range_form {
    RANGE_FORM_NONE,    /* absent, another unit, malformed, or too many: as if it were not there */
    RANGE_FORM_CLOSED,  /* "first-last" */
    RANGE_FORM_OPEN,    /* "first-" */
    RANGE_FORM_SUFFIX,  /* "-suffix" */
    RANGE_FORM_SEVERAL, /* more than one, whatever they are */
};

struct range_wish {
    enum range_form form;
    uint64_t first, last; /* as the form says; a suffix's length is in `last` and may be 0 */
};

struct range_wish range_read(struct span value);
/* The value again, "bytes=…". Only for one of the three forms of a single range. */
struct span range_format(const struct range_wish *wish, struct arena *arena);

/* "bytes 0-4/10", "bytes 0-4/\*" or the unsatisfied form with "*" as range. length -1: unknown.
 * False when malformed, or when it contradicts itself; unsatisfied form sets *unsatisfied. */
bool content_range_parse(struct span value, struct byte_range *range, int64_t *length,
                         bool *unsatisfied);
struct span content_range_format(struct byte_range range, int64_t length, struct arena *arena);
/* The unsatisfied form. */
struct span content_range_unsatisfied(uint64_t length, struct arena *arena);

#endif
