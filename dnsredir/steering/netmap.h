/*
 * netmap - address → value and the length of the prefix for which that holds. Pure; immutable
 * once built, so any thread may look things up.
 *
 * Two layers make a map: `first`, prefixes that nest, the longest match deciding; and `second`,
 * which decides where no prefix of `first` covers an address. The result is the coarsest partition
 * of the address space into aligned blocks of one value, so the scope of an answer is right in
 * the holes inside a prefix and in areas that no prefix covers, and neighbours of equal value are
 * one block.
 *
 * Stored as a compressed trie: 16 bits of the address index a table, then 6 bits a node. A node
 * holds one bit per slot for "there is a node below" and one for "another leaf begins here"; its
 * nodes and leaves lie side by side, found by counting bits. IPv4 needs at most four steps.
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

/* Builds the map; both arrays may be in any order. Of two entries with the
 * same prefix the later one in the array counts. Freed by netmap_free(), which accepts NULL. */
struct netmap *netmap_new(const struct netmap_entry *first, size_t first_count,
                          const struct netmap_entry *second, size_t second_count);
void netmap_free(struct netmap **map);

/* Looks up a network of which `source` bits are known (of its own family; 32 or 128 for a single
 * address). When the map is finer than that, the value is that of the longest prefix of `first`
 * that covers the whole network, or else that of its first address, and the scope is longer than
 * `source`, which tells the resolver to ask more precisely (RFC 7871 7.2.1). */
struct netmap_hit netmap_find(const struct netmap *map, const struct ip *ip, unsigned source);

/* Does any prefix of `first` lie around the block of `bits` (of the address' own family) that
 * begins at `ip`, or inside it? */
bool netmap_is_listed(const struct netmap *map, const struct ip *ip, unsigned bits);

/* Bytes of memory, for accounts. */
size_t netmap_size(const struct netmap *map);

#endif
