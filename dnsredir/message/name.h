/*
 * name - domain names (RFC 1035 3.1) in lower-case wire form. Pure.
 *
 * The wire form is a row of labels, each a length byte and its bytes, ended by the root's 0.
 * Names are compared in lower case (RFC 4343); the case of a question is kept by echoing its
 * bytes, never through this struct.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_NAME_H
#define LARDER_DNSREDIR_MESSAGE_NAME_H

#include "base/wire.h"

#define NAME_MAX_LEN 255
#define NAME_MAX_LABELS 127
#define NAME_MAX_LABEL 63

struct name {
    uint8_t len;                    /* bytes, the root's 0 included: 1..255 */
    uint8_t labels;                 /* without the root: 0..127 */
    uint8_t at[NAME_MAX_LEN + 9];   /* 8 readable bytes behind the end, for hashing by words */
    uint8_t label[NAME_MAX_LABELS]; /* where each label starts */
};

/* Reads a name that may be compressed; every pointer must lead further back than the name or
 * pointer before it, so loops cannot be. *in is behind the name afterwards. 0 or ERR_SYNTAX. */
int name_read(struct wire_in *in, struct name *out);
/* Moves *in behind a name without looking where its pointers lead. 0 or ERR_SYNTAX. */
int name_skip(struct wire_in *in);
/* From wire form that is known to be right: a stored name. */
void name_load(struct name *out, const uint8_t *wire);

/* Master-file text (RFC 1035 5.1) with \X and \DDD: "@" is `origin`, and names without the last
 * dot are below it (NULL: the root). 0, ERR_SYNTAX, ERR_TOO_LARGE. */
int name_parse(struct span text, const struct name *origin, struct name *out);
/* Host or zone names as people write them: the last dot is optional. */
int name_parse_absolute(struct span text, struct name *out);

/* NUL-terminated text with the last dot; `out` has NAME_TEXT_MAX bytes. Returns out. */
#define NAME_TEXT_MAX (4 * NAME_MAX_LEN + 2)
const char *name_text(const struct name *name, char *out);

bool name_eq(const struct name *a, const struct name *b);
/* `name` is `zone` or below it. */
bool name_is_below(const struct name *name, const struct name *zone);
/* The suffix of `name` that leaves out the first `skip` labels, 0..labels. */
void name_suffix(const struct name *name, unsigned skip, struct name *out);
/* How many labels two names have in common, counted from the root. */
unsigned name_common(const struct name *a, const struct name *b);

/* hashes[i] is the hash of the suffix without the first i labels; labels + 1 of them. */
void name_hash_suffixes(const struct name *name, uint64_t *hashes);
uint64_t name_hash(const struct name *name);

#endif
