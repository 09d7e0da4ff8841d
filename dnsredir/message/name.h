/*
 * name - domain names (RFC 1035 3.1) in lower-case wire form. Pure.
 *
 * The wire form is a sequence of labels, each a length byte and its bytes, ended by the root's 0.
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
    uint8_t len;                    /* bytes, including the root's 0: 1..255 */
    uint8_t labels;                 /* without the root: 0..127 */
    uint8_t at[NAME_MAX_LEN + 9];   /* 8 readable bytes behind the end, for hashing by words */
    uint8_t label[NAME_MAX_LABELS]; /* where each label starts */
};

/* Reads a name that may be compressed. Every pointer must lead further back than the name or
 * pointer before it, so there are no loops. Moves *in behind the name. Returns 0 or ERR_SYNTAX. */
int name_read(struct wire_in *in, struct name *out);
/* Moves *in behind a name without following its pointers. Returns 0 or ERR_SYNTAX. */
int name_skip(struct wire_in *in);
/* Loads a name from valid, uncompressed wire form in lower case: a stored name. */
void name_load(struct name *out, const uint8_t *wire);

/* Reads master-file text (RFC 1035 5.1) with \X and \DDD. "@" is `origin`, and names without a
 * final dot are below it (NULL: the root). Returns 0, ERR_SYNTAX or ERR_TOO_LARGE. */
int name_parse(struct span text, const struct name *origin, struct name *out);
/* Reads a host or zone name as people write it: the final dot is optional, and "@" is no name. */
int name_parse_absolute(struct span text, struct name *out);

/* Writes NUL-terminated text with a final dot to `out`, which has NAME_TEXT_MAX bytes. Returns out.
 */
#define NAME_TEXT_MAX (4 * NAME_MAX_LEN + 2)
const char *name_text(const struct name *name, char *out);

bool name_eq(const struct name *a, const struct name *b);
/* Is `name` equal to `zone`, or below it? */
bool name_is_below(const struct name *name, const struct name *zone);
/* Writes `name` without its first `skip` labels (0..labels) to *out. */
void name_suffix(const struct name *name, unsigned skip, struct name *out);
/* How many labels two names have in common, counted from the root. */
unsigned name_common(const struct name *a, const struct name *b);

/* Writes labels + 1 hashes: hashes[i] is that of the name without its first i labels. */
void name_hash_suffixes(const struct name *name, uint64_t *hashes);
uint64_t name_hash(const struct name *name);

#endif
