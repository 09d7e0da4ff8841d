#include "base/siphash.h"

#include "base/check.h"

#include <sys/random.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t load(const char *at, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, at, len); /* little endian hosts; the store is bound to its host's order */
    return word;
}

static void sip_round(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void absorb(struct state *s, struct span bytes)
{
    uint64_t last = (uint64_t)bytes.len << 56;
    size_t whole = bytes.len & ~(size_t)7;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word = load(bytes.at + i, 8);
        s->v3 ^= word;
        sip_round(s);
        s->v0 ^= word;
    }
    if (bytes.len > whole) {
        last |= load(bytes.at + whole, bytes.len - whole);
    }
    s->v3 ^= last;
    sip_round(s);
    s->v0 ^= last;
}

static uint64_t squeeze(struct state *s)
{
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static struct state start(const struct sip_key *key)
{
    return (struct state){
        key->k0 ^ 0x736f6d6570736575u,
        key->k1 ^ 0x646f72616e646f6du,
        key->k0 ^ 0x6c7967656e657261u,
        key->k1 ^ 0x7465646279746573u,
    };
}

struct sip_key sip_key_random(void)
{
    struct sip_key key;

    CHECK(getrandom(&key, sizeof(key), 0) == (ssize_t)sizeof(key));
    return key;
}

uint64_t sip_hash64(const struct sip_key *key, struct span bytes)
{
    struct state s = start(key);

    absorb(&s, bytes);
    s.v2 ^= 0xff;
    return squeeze(&s);
}

uint64_t sip24_hash64(const struct sip_key *key, struct span bytes)
{
    struct state s = start(key);
    size_t whole = bytes.len & ~(size_t)7;
    uint64_t last = (uint64_t)bytes.len << 56;

    for (size_t i = 0; i <= whole; i += 8) {
        uint64_t word = i < whole ? load(bytes.at + i, 8) : last;
        if (i == whole && bytes.len > whole) {
            word |= load(bytes.at + whole, bytes.len - whole);
        }
        s.v3 ^= word;
        sip_round(&s);
        sip_round(&s);
        s.v0 ^= word;
    }
    s.v2 ^= 0xff;
    sip_round(&s);
    return squeeze(&s);
}

void sip_hash128(const struct sip_key *key, struct span bytes, uint8_t out[16])
{
    struct state s = start(key);

    s.v1 ^= 0xee;
    absorb(&s, bytes);
    s.v2 ^= 0xee;
    uint64_t low = squeeze(&s);
    s.v1 ^= 0xdd;
    uint64_t high = squeeze(&s);
    memcpy(out, &low, 8);
    memcpy(out + 8, &high, 8);
}
