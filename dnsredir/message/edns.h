/*
 * edns - the OPT record (RFC 6891) and the options in it that are known here: client subnet (RFC
 * 7871), cookie (7873), name server identifier (5001), keepalive of TCP (7828), extended errors
 * (8914). All others are ignored, padding (7830) too: over UDP and TCP nothing is encrypted. Pure.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_EDNS_H
#define LARDER_DNSREDIR_MESSAGE_EDNS_H

#include "base/prefix.h"
#include "base/wire.h"
#include "dnsredir/message/cookie.h"

/* The client subnet option: the client's network, which the resolver has sent with the query. */
struct ecs {
    bool present;
    uint16_t family; /* 1: IPv4, 2: IPv6, 0 only with source 0: "do not use my address" */
    uint8_t source;  /* how many bits of the address are known: 0..32 or 0..128 */
    struct ip ip;    /* the bits beyond `source` are 0 */
};

struct edns {
    bool present;
    bool dnssec_ok;
    bool nsid;      /* the name server identifier is asked for */
    bool keepalive; /* the client asks how long a TCP connection may be idle */
    uint8_t version;
    uint16_t payload;   /* largest UDP answer that the client takes, at least 512 */
    struct span cookie; /* in the packet: 8 bytes, or 16 to 40; empty: none */
    struct ecs ecs;
};

/* The extended errors that are sent (RFC 8914 4). */
enum ede {
    EDE_NONE = -1,
    EDE_OTHER = 0,
    EDE_DNSSEC_BOGUS = 6,
    EDE_NOT_READY = 14,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_NO_REACHABLE_AUTHORITY = 22,
};

/* What the OPT record of a response says beside what it echoes. */
struct edns_reply {
    const uint8_t *cookie; /* the server's half, COOKIE_SERVER_LEN bytes; NULL: none */
    struct span nsid;      /* empty: not asked for, or none */
    uint16_t keepalive;    /* in tenths of a second; 0: not sent */
    enum ede ede;
    uint8_t scope;
};
#define NSID_MAX 64

/* Reads an OPT record from behind its type to its end. Returns 0, or ERR_SYNTAX for a malformed
 * record, client subnet or cookie. If the version is unknown the options are not read. */
int edns_read(struct wire_in *in, struct edns *out);

/* How many bytes edns_write() will write, at most 200; 0 if the query had no OPT. */
size_t edns_len(const struct edns *query, const struct edns_reply *reply);
/* Writes the OPT record of a response: our payload size, the upper bits of `rcode`, the client
 * subnet with the reply's scope, and what else is in `reply`. The query must have had an OPT. */
void edns_write(struct wire_out *out, const struct edns *query, const struct edns_reply *reply,
                unsigned rcode);

#endif
