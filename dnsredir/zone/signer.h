/*
 * signer - one worker's signatures of what could not be signed ahead. They are made when they are
 * needed, at a limited rate, and kept in a table of fixed size. Belongs to one thread.
 *
 * There are two kinds with a budget (a token bucket) each: sets that exist, of which configuration
 * and policies make a limited number, and proofs that a name does not exist, of which anybody can
 * ask for any number. A flood of random names can use up the budget of proofs, but cannot keep an
 * answer with addresses from being signed, nor occupy the loop for longer than the burst of a
 * bucket, a sixteenth of a second's signatures. The last quarter of each bucket is for TCP, where
 * the client has proved its address.
 *
 * Zones do not starve each other, either: half of the budget is divided among them, and the other
 * half is for whichever comes first. A zone that needs a place in the table replaces a signature of
 * its own, if there is one in the row.
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

/* How a signature is asked for. */
struct signer_case {
    enum signer_kind kind;
    bool tcp;
    uint32_t now;    /* seconds since 1970 */
    uint64_t now_us; /* monotonic */
};

struct signer;

struct signer *signer_new(void);
void signer_free(struct signer **signer); /* accepts NULL; sets *signer to NULL */

/* Writes the signature of `what` to *out, unless it returns SIGNED_REFUSED. With a NULL signer only
 * those in `ready` are found, with `ready` NULL none. */
enum signed_how signer_get(struct signer *signer, const struct signatures *ready,
                           const struct signer_case *when, const struct signable *what,
                           struct signature *out);

#endif
