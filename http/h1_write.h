/*
 * h1_write - writes HTTP/1.1 heads from parsed parts. Pure.
 *
 * Framing and connection management are decided here: Content-Length, Transfer-Encoding and
 * Connection are made from framing and keep_alive of the head, never copied from its fields. If
 * there is a TE field, Connection names it.
 */
#ifndef LARDER_HTTP_H1_WRITE_H
#define LARDER_HTTP_H1_WRITE_H

#include "base/buf.h"
#include "http/message.h"

/* Writes a request, always HTTP/1.1. head->target is written as it is (origin-form, absolute-form,
 * authority-form or "*"); Host comes first. */
void h1_write_request(struct buf *out, const struct http_head *head);

/* Writes a response to a client with this version. The status line always has HTTP/1.1, our own
 * version (RFC 9110 2.5). An HTTP/1.0 client gets "Connection: keep-alive" if head->keep_alive is
 * set, and a body of unknown length without chunks, ended by closing. An HTTP/1.1 client gets
 * "close" if it is not set. 1xx, 204 and 2xx to CONNECT get no framing fields. With BODY_NONE,
 * responses to HEAD and 304 show the announced length, others 0. If head->upgrade is set, Upgrade
 * is sent, and Connection names it. */
void h1_write_response(struct buf *out, const struct http_head *head, enum http_version client,
                       enum http_method request);

/* Writes the line before a chunk of `len` bytes to `out` (at least 18 bytes), and returns its
 * length. After the chunk CRLF must follow, after the last one H1_LAST_CHUNK. */
size_t h1_chunk_line(char *out, size_t len);
#define H1_CHUNK_LINE_MAX 18
#define H1_LAST_CHUNK "0\r\n\r\n"

/* Writes the last chunk with trailers (RFC 9112 7.1.2); NULL: none. */
void h1_write_last_chunk(struct buf *out, const struct http_fields *trailers);

#endif
