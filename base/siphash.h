/*
 * siphash - SipHash-1-3 (Aumasson, Bernstein 2012; the reduced-round variant of the reference
 * implementation), keyed, so that peers cannot aim for collisions; and SipHash-2-4, where a
 * protocol asks for it.
 */
#ifndef LARDER_BASE_SIPHASH_H
#define LARDER_BASE_SIPHASH_H

#include "base/span.h"

struct sip_key {
    uint64_t k0, k1;
};

/* A key from the kernel's random source. Aborts when there is none. */
struct sip_key sip_key_random(void);

uint64_t sip_hash64(const struct sip_key *key, struct span bytes);
/* SipHash-2-4; written to memory in little endian it is the reference's output. */
uint64_t sip24_hash64(const struct sip_key *key, struct span bytes);
void sip_hash128(const struct sip_key *key, struct span bytes, uint8_t out[16]);

#endif
