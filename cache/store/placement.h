/*
 * placement - which of several stores has which key, and since when. Pure.
 *
 * Keys are divided into shares by their hash. Each share belongs to one member, chosen by
 * rendezvous hashing of the seats, weighted by size: when a member goes, only its shares move.
 *
 * A new era begins whenever the members change (a disk was added, removed, resized, or could not be
 * opened). A share remembers since which era its member has had it without interruption. That
 * number is mixed into the hashes, so that what a member stored under the share at an earlier time,
 * and others may have changed or invalidated since, is not found.
 *
 * Each member's directory has a copy; that of the latest era counts. A copy with an era that this
 * one does not know shows that its member was used alone meanwhile: then nothing stored can be
 * trusted.
 *
 * As bytes, little endian:
 *
 *   u64 magic   u32 era   u32 members   u64 k0, k1 (the secret)
 *   PLACEMENT_ERAS × u64 names of the last eras, the latest first, 0 for none
 *   members × {16 bytes uuid, u64 seat, u64 size}
 *   PLACEMENT_SHARES × {u32 since << 8 | member}
 *   u64 XXH3-64 of all before
 */
#ifndef LARDER_CACHE_STORE_PLACEMENT_H
#define LARDER_CACHE_STORE_PLACEMENT_H

#include "base/buf.h"
#include "base/siphash.h"

enum {
    PLACEMENT_SHARES = 4096,
    PLACEMENT_MEMBERS = 64,
    PLACEMENT_ERAS = 64,
    PLACEMENT_NOBODY = 255, /* as the number of a member */
};

struct placement_member {
    uint8_t uuid[16]; /* of the store in it */
    uint64_t seat;    /* of its place; a new store there gets the shares of the old one */
    uint64_t size;
};

struct placement_share {
    uint32_t since;
    uint8_t member; /* its number, or PLACEMENT_NOBODY */
};

struct placement {
    uint32_t era; /* 0: none so far */
    struct sip_key secret;
    uint64_t eras[PLACEMENT_ERAS]; /* random names of `era` and those before it */
    struct placement_member members[PLACEMENT_MEMBERS];
    size_t count;
    struct placement_share shares[PLACEMENT_SHARES];
};

/* No share belongs to anybody. */
void placement_init(struct placement *placement, const struct sip_key *secret);

/* All shares have always belonged to this member: for a store that was alone so far. */
void placement_alone(struct placement *placement, const struct placement_member *member);

/* Are these its members, in any order? */
bool placement_is_of(const struct placement *placement, const struct placement_member *members,
                     size_t count);

/* Begins an era named `name` (random, not 0) with these members. Shares that stay with their member
 * keep `since`, unless `forget`. */
void placement_begin(struct placement *placement, uint64_t name,
                     const struct placement_member *members, size_t count, bool forget);

/* Is `other` the same, or an earlier state of it? */
bool placement_knows(const struct placement *placement, const struct placement *other);

size_t placement_share_of(const uint8_t hash[16]);

void placement_encode(const struct placement *placement, struct buf *out);
/* 0 or ERR_CORRUPT. */
int placement_decode(struct placement *placement, struct span bytes);

#endif
