/*
 * structured - dictionaries of Structured Fields (RFC 8941 3.2), read member by member. Pure.
 *
 * A field that fails to parse anywhere counts for nothing, so a caller reads to the end before it
 * believes any member. Parameters are checked and dropped; so are the items of inner lists.
 */
#ifndef LARDER_HTTP_STRUCTURED_H
#define LARDER_HTTP_STRUCTURED_H

#include "base/span.h"

enum sf_type { SF_BOOLEAN, SF_INTEGER, SF_DECIMAL, SF_STRING, SF_TOKEN, SF_BYTES, SF_LIST };

struct sf_member {
    struct span key;
    enum sf_type type;
    int64_t integer;  /* SF_INTEGER; of an SF_BOOLEAN 0 or 1 */
    struct span text; /* SF_STRING: between the quotes, escapes as they came; SF_TOKEN: all of it */
};

struct sf_dictionary {
    struct span rest;
    bool bad; /* sticky: the field does not parse */
    bool begun;
};

struct sf_dictionary sf_dictionary(struct span text);

/* False at the end, or when dictionary->bad. A key may come again: its last value counts. */
bool sf_dictionary_next(struct sf_dictionary *dictionary, struct sf_member *member);

#endif
