/*
 * dnssec_key - a key of signed zones: ECDSA on P-256 with SHA-256 (RFC 6605, algorithm 13), kept
 * in a PEM file. Immutable after load; any number of threads may sign with one. Nothing of the
 * private half is ever printed or logged.
 */
#ifndef LARDER_DNSREDIR_ZONE_DNSSEC_KEY_H
#define LARDER_DNSREDIR_ZONE_DNSSEC_KEY_H

#include "base/siphash.h"

#define DNSSEC_ALGORITHM 13
#define DNSSEC_PUBLIC_LEN 64
#define DNSSEC_SIGNATURE_LEN 64
#define DNSSEC_DIGEST_LEN 32
#define DNSKEY_DATA_LEN (4 + DNSSEC_PUBLIC_LEN)
#define DNSSEC_FAULT_MAX 160

struct dnssec_key {
    uint16_t tag;                    /* RFC 4034 appendix B */
    uint8_t dnskey[DNSKEY_DATA_LEN]; /* the data of its DNSKEY record: a secure entry point */
    struct sip_key hash;             /* follows from the private half: see dnssec_id() */
    struct evp_pkey_st *pkey;        /* EVP_PKEY */
};

/* Reads a key. Others than owner and group must not be able to read the file, nor others than the
 * owner to write it. 0, or an error and a sentence in `fault`, DNSSEC_FAULT_MAX bytes. */
int dnssec_key_load(const char *path, struct dnssec_key **out, char *fault);
void dnssec_key_free(struct dnssec_key **key); /* accepts NULL; sets *key to NULL */

/* Makes a key and writes it to a new file that its owner alone can read. As above; an existing
 * file is an error. */
int dnssec_key_make(const char *path, char *fault);

/* DNSSEC_SIGNATURE_LEN bytes over `bytes`. 0 or ERR_IO. */
int dnssec_key_sign(const struct dnssec_key *key, struct span bytes, uint8_t *out);

/* SHA-256 of `bytes`, DNSSEC_DIGEST_LEN bytes. */
void dnssec_digest(struct span bytes, uint8_t *out);

/* RFC 4034 appendix B. */
uint16_t dnssec_tag(const uint8_t *dnskey, size_t len);

#endif
