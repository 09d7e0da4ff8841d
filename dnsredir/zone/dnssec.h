/*
 * dnssec - signatures of sets (RFC 4034, 6605): what is signed in canonical form, and the records
 * of keys and signatures. Pure, but for the randomness of signing.
 *
 * A signature is kept as its two dates and 64 bytes; the RRSIG record around it follows from the
 * set. It is found again under an *id*, a keyed hash of the set and its owner: so it stands for
 * exactly these records, wherever they come from, and no set has to know its signature.
 */
#ifndef LARDER_DNSREDIR_ZONE_DNSSEC_H
#define LARDER_DNSREDIR_ZONE_DNSSEC_H

#include "dnsredir/message/rrset.h"
#include "dnsredir/zone/dnssec_key.h"

#define DNSSEC_KEYS_MAX 4
#define DNSSEC_ID_LEN 16
/* Signatures are good from so long before they are made: clocks of resolvers may be late. */
#define DNSSEC_SKEW 3600

/* How a zone is signed. Immutable after load. */
struct signing {
    struct signing *next; /* of the settings that loaded the keys */
    struct name apex;
    struct dnssec_key *keys[DNSSEC_KEYS_MAX]; /* the first signs; all sign the sets of keys */
    unsigned key_count;
    unsigned number;   /* from 0 on, of the signed zones */
    uint32_t validity; /* seconds */
    struct rrset *ds;  /* what the parent must publish */
};

struct signature {
    uint32_t inception, expiration; /* seconds since 1970, modulo 2^32 (RFC 4034 3.1.5) */
    uint8_t bytes[DNSSEC_SIGNATURE_LEN];
};

/* A set to be signed. */
struct signable {
    const struct signing *zone;
    const struct dnssec_key *key;
    const struct name *owner; /* as in the zone: "*.w.example" for all that it stands for */
    const struct rrset *set;  /* the same records must come in the same order, for the id */
};

void dnssec_id(const struct signable *what, uint8_t id[DNSSEC_ID_LEN]);

/* Good from DNSSEC_SKEW before `now` until validity after it, less up to an eighth: not all at
 * once. 0 or ERR_IO. */
int dnssec_sign(const struct signable *what, uint32_t now, struct signature *out);

/* Has it the dates that dnssec_sign() would have given it when it was made? */
bool dnssec_is_dated(const struct signable *what, const struct signature *signature);

/* How many seconds it is still good for; 0 when it is not, or not yet. */
uint32_t dnssec_left(const struct signature *signature, uint32_t now);

/* Its RRSIG record, into `room`, RRSIG_MAX bytes. Returns the length. */
#define RRSIG_MAX (RR_FIXED_LEN + 18 + NAME_MAX_LEN + DNSSEC_SIGNATURE_LEN)
size_t dnssec_rrsig(const struct signable *what, const struct signature *signature, uint8_t *room);

/* The bytes that are signed (RFC 4034 3.1.8.1), to be freed by the caller. */
uint8_t *dnssec_canonical(const struct signable *what, const struct signature *dates, size_t *len);

/* Ready records of one size as a set in canonical order (RFC 4034 6.3), each once. `room` has
 * count * record_len bytes. */
void dnssec_gather(const uint8_t *const *records, unsigned count, size_t record_len, uint8_t *room,
                   struct rrset *out);

/* Sets whose every key must sign: DNSKEY, and what tells the parent (RFC 7344 4.1). */
static inline bool dnssec_is_of_keys(uint16_t type)
{
    return type == TYPE_DNSKEY || type == TYPE_CDS || type == TYPE_CDNSKEY;
}

/* The data of the DS record of a key (RFC 4509), DS_DATA_LEN bytes. */
#define DS_DATA_LEN (4 + DNSSEC_DIGEST_LEN)
void dnssec_ds(const struct name *apex, const struct dnssec_key *key, uint8_t *out);

#endif
