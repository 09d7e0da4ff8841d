/*
 * h1_write - http_head → HTTP/1.1 bytes, written anew from parsed parts. Pure.
 *
 * The writer owns framing and connection management: Content-Length, Transfer-Encoding and
 * Connection lines are made from the head's framing and keep_alive, never taken from its fields. TE
 * is named in Connection when it is among them.
 */
#ifndef LARDER_HTTP_H1_WRITE_H
#define LARDER_HTTP_H1_WRITE_H

#include "base/buf.h"
#include "http/message.h"

/* Always HTTP/1.1. head->target is what the request line shows (origin-form, absolute-form,
 * authority-form or "*"); Host comes first. */
void h1_write_request(struct buf *out, const struct http_head *head);

/* Writes a response for a client of that version. The status line always says HTTP/1.1 (RFC 9110
 * 2.5: our own highest version). An HTTP/1.0 client gets "Connection: keep-alive" when
 * head->keep_alive is set, and a body of unknown length unchunked, ended by closing; an HTTP/1.1
 * client gets "close" when keep_alive is not set. 1xx, 204 and a 2xx to CONNECT carry no framing
 * lines. A head with framing BODY_NONE that answers HEAD or is a 304 shows the length it announces,
 * any other one shows 0. Upgrade and the Connection line naming it go out when head->upgrade is
 * set. */
void h1_write_response(struct buf *out, const struct http_head *head, enum http_version client,
                       enum http_method request);

/* The line before `len` bytes of a chunk, into `out` (≥ 18 bytes); returns its length. The chunk
 * is followed by CRLF, the last one by H1_LAST_CHUNK. */
size_t h1_chunk_line(char *out, size_t len);
#define H1_CHUNK_LINE_MAX 18
#define H1_LAST_CHUNK "0\r\n\r\n"

/* The last chunk with these fields behind it (RFC 9112 7.1.2); NULL: none. */
void h1_write_last_chunk(struct buf *out, const struct http_fields *trailers);

#endif
