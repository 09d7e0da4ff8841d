/*
 * multipart - layout and length of a multipart/byteranges body (RFC 9110 14.6, RFC 2046 5.1). Pure;
 * memory from the arena.
 */
#ifndef LARDER_PROXY_CLIENT_MULTIPART_H
#define LARDER_PROXY_CLIENT_MULTIPART_H

#include "base/siphash.h"
#include "proxy/client/parts.h"

#define MULTIPART_BOUNDARY 32 /* hex digits */

/* A boundary that nobody can guess before the response begins. `secret` is random and never sent;
 * `serial` differs for each response. */
struct span multipart_boundary(const struct sip_key *secret, uint64_t serial, struct arena *arena);

/* Can a body of `length` bytes and this Content-Type be sent as multipart? False when the texts
 * between parts could exceed the bytes asked for, or the total 63 bits. */
bool multipart_suits(struct span type, uint64_t length);

/* What the parts are cut from. */
struct multipart {
    const struct byte_ranges *ranges; /* at least one */
    uint64_t length;                  /* of the complete representation */
    struct span type;                 /* its Content-Type, or empty */
    struct span boundary;
    struct arena *arena;
};

/* Lays out the body; multipart_suits() must be true. Returns the total length. */
uint64_t multipart_lay_out(const struct multipart *multipart, struct body_parts *out);

/* The Content-Type of the multipart response. */
struct span multipart_type(struct span boundary, struct arena *arena);

#endif
