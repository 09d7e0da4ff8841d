/*
 * candidates - the order in which the addresses of a name are tried (RFC 8305 section 4), and a
 * short memory of those that have just failed. Pure; told the time.
 */
#ifndef LARDER_PROXY_ORIGIN_CANDIDATES_H
#define LARDER_PROXY_ORIGIN_CANDIDATES_H

#include "base/prefix.h"
#include "base/siphash.h"

#define CANDIDATES_MAX 32

/* Addresses and ports that failed lately: a fixed table, so a new failure may push an old one out.
 */
struct failures {
    struct sip_key key;
    struct failed_address {
        struct ip ip;
        uint16_t port;
        uint64_t until_ms; /* 0: free */
    } at[256];
};

void failures_init(struct failures *failures);
/* Another address is tried first for the next 30 seconds. */
void failures_add(struct failures *failures, const struct ip *ip, uint16_t port, uint64_t now_ms);
void failures_remove(struct failures *failures, const struct ip *ip, uint16_t port);
bool failures_has(const struct failures *failures, const struct ip *ip, uint16_t port,
                  uint64_t now_ms);

/* The addresses of one attempt to connect, tried from the front. */
struct candidates {
    struct ip at[CANDIDATES_MAX];
    size_t count;
    size_t next; /* those before it have been tried */
};

/*
 * Puts the `count` addresses that have not been tried behind those that have: families alternate,
 * IPv6 first, or the family that was not tried last; those that failed lately come last. Double
 * ones and those beyond CANDIDATES_MAX are left out.
 */
void candidates_arrange(struct candidates *candidates, const struct ip *addresses, size_t count,
                        uint16_t port, const struct failures *failures, uint64_t now_ms);

#endif
