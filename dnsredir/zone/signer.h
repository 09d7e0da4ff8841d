/*
 * signer - one worker's signatures of what could not be signed ahead, made when it is needed and
 * kept: in a table of fixed size, and at most so many in a second. Belongs to one thread.
 *
 * Two kinds never compete: sets that exist, of which configuration and policies make only so many,
 * and proofs that a name does not, of which strangers can ask for any number. A flood of random
 * names can use up the budget of proofs; it cannot keep an answer with addresses from being signed,
 * nor the loop from anything for longer than the burst of a bucket, a sixteenth of a second's
 * signatures. Of each bucket the last quarter is for TCP, where the asker has proved its address.
 *
 * Nor do zones: of several, half of the budget is divided among them, each has its part whatever is
 * asked of the others, and the other half is whoever's comes first. A zone that needs a place in
 * the table takes one of its own, if there is one in the row.
 */
#ifndef LARDER_DNSREDIR_ZONE_SIGNER_H
#define LARDER_DNSREDIR_ZONE_SIGNER_H

#include "dnsredir/zone/signatures.h"

enum signer_kind { SIGNER_SET, SIGNER_DENIAL, SIGNER_KINDS };

enum signed_how {
    SIGNED_READY,   /* made ahead */
    SIGNED_CACHED,  /* made before */
    SIGNED_NEW,     /* made now */
    SIGNED_REFUSED, /* no budget is left */
    SIGNED_HOWS
};

/* When, and how, it is asked for. */
struct signer_case {
    enum signer_kind kind;
    bool tcp;
    uint32_t now;    /* seconds since 1970 */
    uint64_t now_us; /* monotonic */
};

struct signer;

struct signer *signer_new(void);
void signer_free(struct signer **signer); /* accepts NULL; sets *signer to NULL */

/* The signature of `what`, unless SIGNED_REFUSED. `signer` NULL: only what is ready; `ready` NULL:
 * nothing. */
enum signed_how signer_get(struct signer *signer, const struct signatures *ready,
                           const struct signer_case *when, const struct signable *what,
                           struct signature *out);

#endif
