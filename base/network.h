/*
 * network - the network of a client (IPv4 /24, IPv6 /48) as one number, by which tables of clients
 * are indexed. A shorter prefix would include strangers; with a longer one few samples would come
 * together. Pure.
 */
#ifndef LARDER_BASE_NETWORK_H
#define LARDER_BASE_NETWORK_H

#include "base/prefix.h"

enum {
    NETWORK_BITS_V4 = 24,
    NETWORK_BITS_V6 = 48,
};

/* The address family is in front, so 0 is no network. */
#define NETWORK_V4 (UINT64_C(4) << 56)
#define NETWORK_V6 (UINT64_C(6) << 56)

static inline bool network_is_v4(uint64_t network)
{
    return network >> 56 == 4;
}

/* The network of an address. */
static inline uint64_t network_of(const struct ip *ip)
{
    bool v4 = ip_is_v4(ip);
    uint64_t number = 0;

    for (size_t i = v4 ? 12 : 0; i < (v4 ? 15 : 6); i++) {
        number = number << 8 | ip->at[i];
    }
    return (v4 ? NETWORK_V4 : NETWORK_V6) | number;
}

/* The same as a prefix. prefix.ip is its first address. */
static inline struct prefix network_prefix(uint64_t network)
{
    bool v4 = network_is_v4(network);
    struct prefix prefix = {.bits = v4 ? 96 + NETWORK_BITS_V4 : NETWORK_BITS_V6};

    if (v4) {
        prefix.ip.at[10] = prefix.ip.at[11] = 0xff;
    }
    for (size_t i = v4 ? 15 : 6; i > (v4 ? 12 : 0); i--) {
        prefix.ip.at[i - 1] = (uint8_t)network;
        network >>= 8;
    }
    return prefix;
}

/* The network with exactly this prefix; 0: the prefix has another length. */
static inline uint64_t network_of_prefix(const struct prefix *prefix)
{
    unsigned bits = ip_is_v4(&prefix->ip) ? 96 + NETWORK_BITS_V4 : NETWORK_BITS_V6;
    return prefix->bits == bits ? network_of(&prefix->ip) : 0;
}

#endif
