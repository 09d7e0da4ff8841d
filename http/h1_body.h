/*
 * h1_body - finds the bytes and the end of an HTTP/1 message body (RFC 9112 6, 7.1). Pure. Works at
 * any byte boundary; no recursion, no allocation.
 *
 * Chunk extensions are dropped, trailers checked against the field grammar; CRLF is required
 * everywhere. In responses, chunk sizes may be padded with white space, as some servers do.
 */
#ifndef LARDER_HTTP_H1_BODY_H
#define LARDER_HTTP_H1_BODY_H

#include "http/message.h"

struct h1_body {
    enum http_framing framing;
    uint64_t left;     /* of the length, or of the current chunk */
    uint8_t state;     /* of the chunked decoder */
    uint32_t overhead; /* bytes of the current extension, or of the trailer section; bounded */
    uint32_t excess;   /* extension bytes in excess of the data so far; bounded */
    uint8_t digits;    /* of the current chunk size */
    uint8_t lines;     /* of the trailer section */
    bool may_pad;      /* chunk sizes may be padded */
};

/* Result of one call. */
enum h1_body_result {
    H1_BODY_DATA,     /* *data is body bytes, a sub-span of the input */
    H1_BODY_TRAILERS, /* *data is a part of the trailer section; see trailers_read() */
    H1_BODY_MORE,     /* all input was used */
    H1_BODY_END,      /* the body is complete; bytes behind *used belong to the next message */
    H1_BODY_BAD,      /* the framing is broken: the connection cannot be used any more */
};

void h1_body_init(struct h1_body *body, const struct http_head *head);

/* Takes bytes from the beginning of `bytes`; *used says how many. Call it until MORE, END or BAD.
 * With BODY_NONE it returns END at once. */
enum h1_body_result h1_body_next(struct h1_body *body, struct span bytes, size_t *used,
                                 struct span *data);

/* Is the next byte one of the body itself? In the chunked coding: after a chunk size, or inside a
 * chunk. */
bool h1_body_awaits_data(const struct h1_body *body);

/* The peer has closed the connection: is that a proper end of this body? */
bool h1_body_eof_is_end(const struct h1_body *body);

#endif
