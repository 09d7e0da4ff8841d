/*
 * netmap - a map from an address to a value, and to the length of the prefix for which that value
 * holds. Pure; immutable once built, so any thread may look things up.
 *
 * A map is made of two layers: `first`, prefixes that nest, of which the longest match decides; and
 * `second`, which decides where no prefix of `first` covers an address. The result is the coarsest
 * partition of the address space into aligned blocks of one value. So the scope of an answer is
 * right also in holes inside a prefix and in areas that no prefix covers, and neighbours of equal
 * value are one block. Only if the whole map has one value is a block as large as a family:
 * resolvers use an answer with scope 0 for everybody, be it of the other family (RFC 7871 7.3.1).
 *
 * It is stored as a compressed trie (a Poptrie): two bytes of the address index a table, then one
 * byte each node. A node has one bit per slot for "there is a node below" and one for "another leaf
 * begins here"; its nodes and leaves lie side by side and are found by counting bits. IPv4 takes at
 * most three steps.
 */
#ifndef LARDER_DNSREDIR_STEERING_NETMAP_H
#define LARDER_DNSREDIR_STEERING_NETMAP_H

#include "base/prefix.h"

#define NETMAP_NONE 0 /* the value of addresses that nothing covers */
#define NETMAP_VALUE_MAX 0x3fffff

struct netmap;

struct netmap_entry {
    struct prefix prefix;
    uint32_t value; /* 0..NETMAP_VALUE_MAX */
};

struct netmap_hit {
    uint32_t value;
    uint8_t scope; /* in bits of the address' own family: 0..32 or 0..128 */
};

/* Builds a map. Both arrays may be in any order; of two entries with the same prefix the later one
 * in the array counts. */
struct netmap *netmap_new(const struct netmap_entry *first, size_t first_count,
                          const struct netmap_entry *second, size_t second_count);
void netmap_free(struct netmap **map); /* accepts NULL; sets *map to NULL */

/* Looks up a network of which `source` bits are known, counted in its own family: 32 or 128 for a
 * single address. If the map is finer than that, the value is that of the longest prefix of `first`
 * that covers the whole network, or else that of its first address, and the scope is longer than
 * `source`, which tells the resolver to ask more precisely (RFC 7871 7.2.1). */
struct netmap_hit netmap_find(const struct netmap *map, const struct ip *ip, unsigned source);

/* Loads what netmap_find() will read, while something else is done: of a large map each look waits
 * for memory. */
void netmap_prefetch(const struct netmap *map, const struct ip *ip);

/* Does any prefix of `first` lie around the block of `bits` (of the address' own family) that
 * begins at `ip`, or inside it? */
bool netmap_is_listed(const struct netmap *map, const struct ip *ip, unsigned bits);

/* How many bytes of memory the map takes. */
size_t netmap_size(const struct netmap *map);

#endif
