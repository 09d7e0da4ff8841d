/*
 * h2_head - turns an HTTP/2 header block into an http_head or an error, and tells which fields of
 * an http_head go into one (RFC 9113 8.2, 8.3). Pure; knows nothing of frames and compression.
 *
 * Everything is checked here, and of requests nowhere else: what is accepted can be written as
 * HTTP/1 without becoming a different message.
 */
#ifndef LARDER_HTTP_H2_HEAD_H
#define LARDER_HTTP_H2_HEAD_H

#include "http/h1_parse.h"

enum h2_block_kind {
    H2_BLOCK_REQUEST,
    H2_BLOCK_RESPONSE, /* interim or final */
    H2_BLOCK_TRAILERS, /* head.fields are those that may be forwarded (http/trailers.h) */
};

/* An extended CONNECT (RFC 8441) becomes the head that it would be in HTTP/1.1: a GET with Upgrade,
 * and `upgrade` set. It is answered with 101, which h2 turns into 200. */

/* The authority of a connection's latest request. Mostly the next one has the same, which is not
 * parsed again. All zeros: none is known. */
struct h2_authority {
    char text[80]; /* longer ones are not kept */
    char host[64];
    uint8_t text_len;
    uint8_t host_len;
    uint16_t port;
    bool is_ipv6;
    bool is_https;
};

/* A header block while it is received. */
struct h2_block {
    enum h2_block_kind kind;
    const struct h1_limits *limits;
    struct h2_authority *known; /* of the connection; NULL: none. Set after h2_block_begin() */
    struct http_head head;
    struct span protocol; /* of an extended CONNECT (RFC 8441); else empty */
    size_t size;          /* of the field list, as defined by RFC 9113 6.5.2 */
    unsigned pseudo;      /* bit set of the pseudo fields received */
    unsigned lengths;
    struct h1_error error; /* status 0: no error so far */
};

/* Begins a block. Memory is from `arena`, which must have room for a head; `limits` must outlive
 * the block. */
void h2_block_begin(struct h2_block *block, enum h2_block_kind kind, struct arena *arena,
                    const struct h1_limits *limits);

/* Adds a field; copies it. After an error the rest is only counted. */
void h2_block_add(struct h2_block *block, struct span name, struct span value);

/* Ends the block; `is_last`: nothing of the message follows. True: block->head is valid. False: see
 * block->error: status 400 or 502 (malformed, a stream error), or 414 or 431 (too large, may be
 * answered). */
bool h2_block_end(struct h2_block *block, bool is_last);

/* Does it exceed the limit that the peer was told, by so much that it must be an attack? */
bool h2_block_is_bomb(const struct h2_block *block);

/* False for fields that belong to an HTTP/1 connection, or that pseudo fields and framing
 * replace. */
bool h2_sends_field(const struct http_field *field, bool in_request);

#endif
