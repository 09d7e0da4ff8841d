/*
 * h1_body - finds the bytes and the end of an HTTP/1 message body (RFC 9112 6, 7.1). Pure.
 *
 * Chunk extensions are dropped, trailers checked by the field grammar; CRLF is required everywhere.
 * Of responses a size line may be padded with white space, as some servers do it.
 * Works at any byte boundary. No recursion, no allocation.
 */
#ifndef LARDER_HTTP_H1_BODY_H
#define LARDER_HTTP_H1_BODY_H

#include "http/message.h"

struct h1_body {
    enum http_framing framing;
    uint64_t left;     /* of the length, or of the current chunk */
    uint8_t state;     /* of the chunked decoder */
    uint32_t overhead; /* bytes of the current extension or of the trailer section, bounded */
    uint32_t excess;   /* extension bytes by which framing outweighs data so far, bounded */
    uint8_t digits;    /* of the current chunk size */
    uint8_t lines;     /* of the trailer section */
    bool may_pad;      /* its size lines */
};

/* What one call found. */
enum h1_body_result {
    H1_BODY_DATA,     /* *data holds body bytes, a sub-span of the input */
    H1_BODY_TRAILERS, /* *data holds bytes of the trailer section, likewise: see trailers_read() */
    H1_BODY_MORE,     /* all input used, nothing else to say */
    H1_BODY_END,      /* the body is complete; bytes behind *used belong to the next message */
    H1_BODY_BAD,      /* the framing is broken: the connection cannot be used any more */
};

void h1_body_init(struct h1_body *body, const struct http_head *head);

/* Looks at `bytes`, says how many it used and what they were. Call until MORE, END or BAD.
 * BODY_NONE ends at once. */
enum h1_body_result h1_body_next(struct h1_body *body, struct span bytes, size_t *used,
                                 struct span *data);

/* The next byte will be of the body itself: in the chunked coding, a size line has just ended, or
 * some of its chunk has come. */
bool h1_body_awaits_data(const struct h1_body *body);

/* The connection was closed by the peer: was that a proper end of this body? */
bool h1_body_eof_is_end(const struct h1_body *body);

#endif
