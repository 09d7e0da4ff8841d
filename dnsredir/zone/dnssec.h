/*
 * dnssec - signatures of sets (RFC 4034, 6605): the canonical form that is signed, and the records
 * of keys and signatures. Pure, but for the randomness of signing.
 *
 * A signature is kept as two dates and 64 bytes; the RRSIG record around it is made from the set.
 * It is found by an *id*, a keyed hash of the set and its owner. So it is valid for exactly these
 * records, wherever they come from, and no set has to know its signature.
 */
#ifndef LARDER_DNSREDIR_ZONE_DNSSEC_H
#define LARDER_DNSREDIR_ZONE_DNSSEC_H

#include "dnsredir/message/rrset.h"
#include "dnsredir/zone/dnssec_key.h"

#define DNSSEC_KEYS_MAX 4
#define DNSSEC_ID_LEN 16
/* Signatures are valid from so many seconds before they are made, because clocks of resolvers may
 * be slow. */
#define DNSSEC_SKEW 3600

/* How a zone is signed. Immutable after load. */
struct signing {
    struct signing *next; /* the next one of the same settings, which own the keys */
    struct name apex;
    struct dnssec_key
        *keys[DNSSEC_KEYS_MAX]; /* the first one signs; sets of keys are signed by all */
    unsigned key_count;
    unsigned number;   /* number among the signed zones, from 0 on */
    uint32_t validity; /* seconds */
    struct rrset *ds;  /* the records that the parent zone must publish */
};

struct signature {
    uint32_t inception, expiration; /* seconds since 1970, modulo 2^32 (RFC 4034 3.1.5) */
    uint8_t bytes[DNSSEC_SIGNATURE_LEN];
};

/* A set to be signed. */
struct signable {
    const struct signing *zone;
    const struct dnssec_key *key;
    const struct name *owner; /* as in the zone: "*.w.example" for all names that it stands for */
    const struct rrset *set;  /* the same records must come in the same order, for the id */
};

/* The id under which a signature of the set is found. */
void dnssec_id(const struct signable *what, uint8_t id[DNSSEC_ID_LEN]);

/* Signs. The signature is valid from DNSSEC_SKEW before `now` until zone->validity after it, less
 * up to an eighth, so that not all expire at once. Returns 0 or ERR_IO. */
int dnssec_sign(const struct signable *what, uint32_t now, struct signature *out);

/* Has the signature the dates that dnssec_sign() would have given it at its time? */
bool dnssec_is_dated(const struct signable *what, const struct signature *signature);

/* For how many seconds it is still valid; 0 if it has expired, or is not valid yet. */
uint32_t dnssec_left(const struct signature *signature, uint32_t now);

/* Writes the RRSIG record to `room`, which has RRSIG_MAX bytes. Returns its length. */
#define RRSIG_MAX (RR_FIXED_LEN + 18 + NAME_MAX_LEN + DNSSEC_SIGNATURE_LEN)
size_t dnssec_rrsig(const struct signable *what, const struct signature *signature, uint8_t *room);

/* The bytes that are signed (RFC 4034 3.1.8.1), which the caller frees. */
uint8_t *dnssec_canonical(const struct signable *what, const struct signature *dates, size_t *len);

/* Makes a set of rendered records of one size, in canonical order (RFC 4034 6.3) and without
 * repetition. `room` has count * record_len bytes and must outlive `out`. */
void dnssec_gather(const uint8_t *const *records, unsigned count, size_t record_len, uint8_t *room,
                   struct rrset *out);

/* Is it a set that all keys must sign: DNSKEY, CDS or CDNSKEY (RFC 7344 4.1)? */
static inline bool dnssec_is_of_keys(uint16_t type)
{
    return type == TYPE_DNSKEY || type == TYPE_CDS || type == TYPE_CDNSKEY;
}

/* Writes the data of the DS record of a key (RFC 4509), DS_DATA_LEN bytes. */
#define DS_DATA_LEN (4 + DNSSEC_DIGEST_LEN)
void dnssec_ds(const struct name *apex, const struct dnssec_key *key, uint8_t *out);

#endif
