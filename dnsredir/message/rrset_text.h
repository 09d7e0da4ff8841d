/*
 * rrset_text - what is shared by the files that turn the text of a record into its data. Load time
 * only.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_RRSET_TEXT_H
#define LARDER_DNSREDIR_MESSAGE_RRSET_TEXT_H

#include "dnsredir/message/rrset.h"

/* The text of one record, cut into words. */
struct words {
    struct span rest;
    const struct name *origin;
    const char *fault; /* the first fault; NULL: none */
};

/* Returns the next word; quotes in it are kept. Empty: there are no more. */
struct span words_next(struct words *words);
/* Notes a fault, which is static text. Returns ERR_SYNTAX. */
int words_fault(struct words *words, const char *what);

/* These read the next word and write its bytes: a number, of one byte, or of two if `max` needs
 * them; an uncompressed name. They return 0 or ERR_SYNTAX. */
int words_put_number(struct words *words, struct wire_out *out, uint64_t max, const char *what);
int words_put_host(struct words *words, struct wire_out *out);

/* Writes the bytes of a word without its quotes, with \DDD and \X resolved. Returns 0, or
 * ERR_SYNTAX for what BAD_ESCAPE says. */
#define BAD_ESCAPE "expected a character or three digits, up to 255, behind a backslash"
int words_put_text(struct span word, struct wire_out *out);

/* Reads the data of SVCB and HTTPS records (RFC 9460 2.1). In rrset_svcb.c. */
int words_put_svcb(struct words *words, struct wire_out *out);

#endif
