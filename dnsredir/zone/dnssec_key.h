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
    uint16_t tag;                    /* key tag: RFC 4034 appendix B */
    uint8_t dnskey[DNSKEY_DATA_LEN]; /* the data of its DNSKEY record, with the SEP flag */
    struct sip_key hash;             /* for dnssec_id(); derived from the private half */
    struct evp_pkey_st *pkey;        /* EVP_PKEY */
};

/* Reads a key from a PEM file, which must be readable by nobody but owner and group, and writable
 * by nobody but the owner. Returns 0, or an error with a sentence in `fault`, which has
 * DNSSEC_FAULT_MAX bytes. */
int dnssec_key_load(const char *path, struct dnssec_key **out, char *fault);
void dnssec_key_free(struct dnssec_key **key); /* accepts NULL; sets *key to NULL */

/* Makes a key, and writes it to a new file that only its owner can read. If the file exists that is
 * an error. Returns as dnssec_key_load(). */
int dnssec_key_make(const char *path, char *fault);

/* Signs `bytes`, and writes DNSSEC_SIGNATURE_LEN bytes to `out`. Returns 0 or ERR_IO. */
int dnssec_key_sign(const struct dnssec_key *key, struct span bytes, uint8_t *out);

/* Writes the SHA-256 of `bytes`, DNSSEC_DIGEST_LEN bytes, to `out`. */
void dnssec_digest(struct span bytes, uint8_t *out);

/* The key tag of the data of a DNSKEY record (RFC 4034 appendix B). */
uint16_t dnssec_tag(const uint8_t *dnskey, size_t len);

#endif
