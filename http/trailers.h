/*
 * trailers - trailer fields (RFC 9110 6.5): which may be forwarded, and how they are read from the
 * chunked coding. Pure.
 *
 * Trailers come when the message may have been processed already, and recipients may merge them
 * into its head. So fields for framing, routing, authentication, caching or content format are
 * dropped (6.5.1), and so is every field of names.h except ETag and Proxy-Status.
 */
#ifndef LARDER_HTTP_TRAILERS_H
#define LARDER_HTTP_TRAILERS_H

#include "http/message.h"

bool trailer_may_pass(const struct http_field *field);

/* Parses the trailer section of a chunked body, which h1_body has checked, with or without its last
 * empty line. Appends the fields that may be forwarded; the spans are borrowed. */
void trailers_read(struct span section, struct http_fields *out);

/* Replaces `to` by deep copies in its arena. */
void trailers_copy(struct http_fields *to, const struct http_fields *from);

/* Does the sender of the request accept trailers? It says so with TE, which HTTP/1.1 must name in
 * Connection (RFC 9110 10.1.4). */
bool trailers_are_wanted(const struct http_head *request);

#endif
