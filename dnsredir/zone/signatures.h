/*
 * signatures - the signatures that are made ahead: of every set of the signed zones, of the answers
 * that policies give most, and of the proofs about names that exist. They are made off the loops
 * with the settings, and again long before they expire. A table of them is immutable, so any thread
 * may look things up. References are counted by one thread alone, the one that publishes them.
 */
#ifndef LARDER_DNSREDIR_ZONE_SIGNATURES_H
#define LARDER_DNSREDIR_ZONE_SIGNATURES_H

#include "dnsredir/zone/dnssec.h"
#include "dnsredir/zone/zone.h"

/* How many are made ahead at most: that takes some seconds, and 25 MB. Workers make the others when
 * they are needed for the first time (signer.h). */
#define SIGNATURES_MAX 262144
/* How many of these may be of sets with the addresses of several replicas: half a second. */
#define SIGNATURES_CHOICES_MAX 16384

struct ranking;
struct signatures;

/* How they are made. */
struct signatures_plan {
    uint32_t now;  /* seconds since 1970 */
    size_t most;   /* how many to make at most */
    uint64_t rate; /* see signatures_rate() */
    const struct signatures
        *old; /* signatures that are still valid are taken from these; may be NULL */
    const struct ranking *const *rankings; /* the rankings of clients, */
    size_t ranking_count;                  /* for names that give several addresses */
};

/* Makes the signatures of all signed zones. NULL: no zone is signed. */
struct signatures *signatures_new(const struct zones *zones, const struct signatures_plan *plan);
struct signatures *signatures_ref(struct signatures *signatures); /* accepts NULL */
void signatures_unref(struct signatures **signatures); /* accepts NULL; sets *signatures to NULL */

/* The signature with this id, or NULL. */
const struct signature *signatures_find(const struct signatures *signatures,
                                        const uint8_t id[DNSSEC_ID_LEN]);
size_t signatures_count(const struct signatures *signatures); /* accepts NULL */
unsigned signatures_zone_count(const struct signatures *signatures);
/* How many signatures of each kind (signer.h) a worker may make per second. */
uint64_t signatures_rate(const struct signatures *signatures);
/* Should they be made anew? True once a quarter of the shortest validity is over, and if the clock
 * was set back to before they were made. Accepts NULL. */
bool signatures_due(const struct signatures *signatures, uint32_t now);

#endif
