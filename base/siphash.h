/*
 * siphash - keyed hashes, so that peers cannot cause collisions: SipHash-1-3 (Aumasson, Bernstein
 * 2012; the variant with fewer rounds), and SipHash-2-4 where a protocol requires it.
 */
#ifndef LARDER_BASE_SIPHASH_H
#define LARDER_BASE_SIPHASH_H

#include "base/span.h"

struct sip_key {
    uint64_t k0, k1;
};

/* A key from the kernel's random source; aborts if there is none. */
struct sip_key sip_key_random(void);

uint64_t sip_hash64(const struct sip_key *key, struct span bytes);
/* SipHash-2-4. Stored as little endian it is the output of the reference implementation. */
uint64_t sip24_hash64(const struct sip_key *key, struct span bytes);
void sip_hash128(const struct sip_key *key, struct span bytes, uint8_t out[16]);

#endif
