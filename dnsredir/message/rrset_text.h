/*
 * rrset_text - what the files share that turn the text of a record into its data. Load time only.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_RRSET_TEXT_H
#define LARDER_DNSREDIR_MESSAGE_RRSET_TEXT_H

#include "dnsredir/message/rrset.h"

/* The text of one record, cut into words. */
struct words {
    struct span rest;
    const struct name *origin;
    const char *fault; /* the first one */
};

/* The next word without its blanks; quotes in it are kept. Empty at the end. */
struct span words_next(struct words *words);
/* Notes a fault. ERR_SYNTAX. */
int words_fault(struct words *words, const char *what);

/* These take the next word and put its bytes: a number of one byte, or of two if `max` needs them;
 * a name, not compressed. 0 or ERR_SYNTAX. */
int words_put_number(struct words *words, struct wire_out *out, uint64_t max, const char *what);
int words_put_host(struct words *words, struct wire_out *out);

/* The bytes of a word, without quotes, \DDD and \X resolved. */
void words_put_text(struct span word, struct wire_out *out);

/* SVCB and HTTPS (RFC 9460 2.1): rrset_svcb.c. */
int words_put_svcb(struct words *words, struct wire_out *out);

#endif
