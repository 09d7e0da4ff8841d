/*
 * multipart - the layout of a multipart/byteranges body (RFC 9110 14.6, RFC 2046 5.1): the texts
 * around its parts, and its length. Pure; memory from the arena.
 */
#ifndef LARDER_PROXY_CLIENT_MULTIPART_H
#define LARDER_PROXY_CLIENT_MULTIPART_H

#include "base/siphash.h"
#include "proxy/client/parts.h"

#define MULTIPART_BOUNDARY 32 /* hex digits */

/* A boundary nobody can know before the response begins: `secret` is random and never shown,
 * `serial` differs for each response made under it. */
struct span multipart_boundary(const struct sip_key *secret, uint64_t serial, struct arena *arena);

/* May a body of `length` bytes and this Content-Type be sent so? Not when the texts could outgrow
 * it for no reason, or its length 63 bits. */
bool multipart_suits(struct span type, uint64_t length);

/* What the parts are cut from. */
struct multipart {
    const struct byte_ranges *ranges; /* at least one */
    uint64_t length;                  /* of the whole */
    struct span type;                 /* its Content-Type, or empty */
    struct span boundary;
    struct arena *arena;
};

/* Lays it out for something that suits; returns the length of all. */
uint64_t multipart_lay_out(const struct multipart *multipart, struct body_parts *out);

/* The Content-Type of the whole. */
struct span multipart_type(struct span boundary, struct arena *arena);

#endif
