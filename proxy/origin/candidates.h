/*
 * candidates - the order in which the addresses of a name are tried (RFC 8305 section 4), and which
 * addresses have failed lately. Pure; the time is a parameter.
 */
#ifndef LARDER_PROXY_ORIGIN_CANDIDATES_H
#define LARDER_PROXY_ORIGIN_CANDIDATES_H

#include "base/prefix.h"
#include "base/siphash.h"

#define CANDIDATES_MAX 32

/* Addresses and ports that failed lately. A table of fixed size: a new failure may replace an old
 * one. */
struct failures {
    struct sip_key key;
    struct failed_address {
        struct ip ip;
        uint16_t port;
        uint64_t until_ms; /* 0: unused */
    } at[256];
};

void failures_init(struct failures *failures);
/* For the next 30 seconds other addresses are tried before this one. */
void failures_add(struct failures *failures, const struct ip *ip, uint16_t port, uint64_t now_ms);
void failures_remove(struct failures *failures, const struct ip *ip, uint16_t port);
bool failures_has(const struct failures *failures, const struct ip *ip, uint16_t port,
                  uint64_t now_ms);

/* The addresses of one attempt to connect, tried from the front. */
struct candidates {
    struct ip at[CANDIDATES_MAX];
    size_t count;
    size_t next; /* those before it were tried */
};

/*
 * Appends the addresses that were not tried so far. Families alternate, beginning with IPv6, or
 * with the one that was not tried last. Addresses that failed lately come last; duplicates, and
 * those beyond CANDIDATES_MAX, are left out.
 */
void candidates_arrange(struct candidates *candidates, const struct ip *addresses, size_t count,
                        uint16_t port, const struct failures *failures, uint64_t now_ms);

#endif
