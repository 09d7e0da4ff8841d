/*
 * structured - reads dictionaries of Structured Fields (RFC 9651 3.2) member by member. Pure.
 *
 * A field with any error must be ignored as a whole, so read to the end before using members.
 * Parameters, and the items of inner lists, are checked and dropped.
 */
#ifndef LARDER_HTTP_STRUCTURED_H
#define LARDER_HTTP_STRUCTURED_H

#include "base/span.h"

enum sf_type { SF_BOOLEAN, SF_INTEGER, SF_DECIMAL, SF_STRING, SF_TOKEN, SF_BYTES, SF_LIST };

struct sf_member {
    struct span key;
    enum sf_type type;
    int64_t integer;  /* SF_INTEGER; 0 or 1 for SF_BOOLEAN */
    struct span text; /* SF_STRING: between the quotes, with escapes; SF_TOKEN: all of it */
};

struct sf_dictionary {
    struct span rest;
    bool bad; /* the field is malformed; stays set */
    bool begun;
};

struct sf_dictionary sf_dictionary(struct span text);

/* False at the end, and when dictionary->bad is set. If a key is repeated, its last value
 * counts. */
bool sf_dictionary_next(struct sf_dictionary *dictionary, struct sf_member *member);

#endif
