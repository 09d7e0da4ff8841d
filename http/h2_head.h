/*
 * h2_head - the fields of an HTTP/2 header block → http_head, or an error; and which fields of an
 * http_head go into one (RFC 9113 8.2, 8.3). Pure; knows nothing of frames and compression.
 *
 * Whatever the library below has checked is checked again: what passes here can be written as
 * HTTP/1 without becoming another message.
 */
#ifndef LARDER_HTTP_H2_HEAD_H
#define LARDER_HTTP_H2_HEAD_H

#include "http/h1_parse.h"

enum h2_block_kind {
    H2_BLOCK_REQUEST,
    H2_BLOCK_RESPONSE, /* interim or final */
    H2_BLOCK_TRAILERS, /* head.fields are those that may be passed on (http/trailers.h) */
};

/* An extended CONNECT (RFC 8441) becomes the head that it would have in HTTP/1.1: a GET with
 * `upgrade` and Upgrade. Its answer is 101 to everybody but the client, whom h2 says 200. */

/* A header block that is coming in. */
struct h2_block {
    enum h2_block_kind kind;
    const struct h1_limits *limits;
    struct http_head head;
    struct span protocol; /* RFC 8441: of an extended CONNECT; else empty */
    size_t size;          /* of the list as RFC 9113 6.5.2 counts it */
    unsigned pseudo;      /* which of them have come */
    unsigned lengths;
    struct h1_error error; /* status 0: none so far */
};

/* All memory comes from `arena`, which must be empty enough for a head; `limits` must outlive the
 * block. */
void h2_block_begin(struct h2_block *block, enum h2_block_kind kind, struct arena *arena,
                    const struct h1_limits *limits);

/* One field, copied. After an error the rest is only counted. */
void h2_block_add(struct h2_block *block, struct span name, struct span value);

/* The block is complete; `is_last`: no body follows. True: block->head is a valid head of that
 * kind. False: block->error says why not: status 400 or 502 (malformed: a stream error), or 414 or
 * 431 (too large: may be answered). */
bool h2_block_end(struct h2_block *block, bool is_last);

/* More than this was sent, although it was told what is accepted: nobody means well. */
bool h2_block_is_bomb(const struct h2_block *block);

/* False: it belongs to HTTP/1's connection, or is said by the pseudo fields and the framing. */
bool h2_sends_field(const struct http_field *field, bool in_request);

#endif
