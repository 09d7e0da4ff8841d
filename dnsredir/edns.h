/*
 * edns - the OPT record (RFC 6891) and the client-subnet option in it (RFC 7871). Pure.
 */
#ifndef LARDER_DNSREDIR_EDNS_H
#define LARDER_DNSREDIR_EDNS_H

#include "base/prefix.h"
#include "base/wire.h"

/* The client's network as the resolver tells it. */
struct ecs {
    bool present;
    uint16_t family; /* 1: IPv4, 2: IPv6, 0 only with source 0: "do not use my address" */
    uint8_t source;  /* bits that are known, 0..32 or 0..128 */
    struct ip ip;    /* bits behind `source` are 0 */
};

struct edns {
    bool present;
    bool dnssec_ok;
    uint8_t version;
    uint16_t payload; /* largest UDP answer the asker takes, at least 512 */
    struct ecs ecs;
};

/* Reads an OPT record behind its type, up to its end. ERR_SYNTAX for a malformed record or
 * client subnet. Options of an unknown version are not looked at. */
int edns_read(struct wire_in *in, struct edns *out);

/* How many bytes edns_write() takes. */
size_t edns_len(const struct edns *query);
/* The OPT of a response: our payload size, the upper bits of `rcode`, and the client subnet with
 * `scope`. The query must have had one. */
void edns_write(struct wire_out *out, const struct edns *query, unsigned rcode, uint8_t scope);

#endif
