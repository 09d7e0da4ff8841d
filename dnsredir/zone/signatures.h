/*
 * signatures - those that are ready: of every set of the signed zones, the answers that policies
 * give most, and the proofs that have to do with names that exist. Made off the loops with the
 * settings and again long before they expire; immutable meanwhile, so any thread may look.
 *
 * Counted by one thread alone, the one that publishes them.
 */
#ifndef LARDER_DNSREDIR_ZONE_SIGNATURES_H
#define LARDER_DNSREDIR_ZONE_SIGNATURES_H

#include "dnsredir/zone/dnssec.h"
#include "dnsredir/zone/zone.h"

/* No more than so many are made ahead: some seconds, and 25 MB. The others are made by workers
 * when they are asked for the first time (signer.h). */
#define SIGNATURES_MAX 262144
/* And of these, so many of several replicas' addresses together: half a second. */
#define SIGNATURES_CHOICES_MAX 16384

struct ranking;
struct signatures;

/* How they are made. */
struct signatures_plan {
    uint32_t now;                 /* seconds since 1970 */
    size_t most;                  /* no more than so many */
    uint64_t rate;                /* see signatures_rate() */
    const struct signatures *old; /* what is still right is taken from these; NULL: nothing */
    const struct ranking *const *rankings; /* of clients, */
    size_t ranking_count;                  /* for names that give several addresses */
};

/* All of `zones`. NULL when no zone is signed. */
struct signatures *signatures_new(const struct zones *zones, const struct signatures_plan *plan);
struct signatures *signatures_ref(struct signatures *signatures); /* accepts NULL */
void signatures_unref(struct signatures **signatures); /* accepts NULL; sets *signatures to NULL */

/* NULL: it is not there. */
const struct signature *signatures_find(const struct signatures *signatures,
                                        const uint8_t id[DNSSEC_ID_LEN]);
size_t signatures_count(const struct signatures *signatures); /* accepts NULL */
unsigned signatures_zone_count(const struct signatures *signatures);
/* How many each worker may make in a second, of each kind. */
uint64_t signatures_rate(const struct signatures *signatures);
/* Should they be made anew? Once a quarter of the shortest validity is over, and when the clock
 * has been set back before they were made. Accepts NULL. */
bool signatures_due(const struct signatures *signatures, uint32_t now);

#endif
