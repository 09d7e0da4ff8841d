/*
 * trailers - fields behind a body (RFC 9110 6.5): those that may be passed on, and how they are
 * read where the chunked coding has them. Pure.
 *
 * What they say comes when the message has been acted upon, and recipients may merge them into its
 * head: whatever frames, routes, authenticates, steers caches or tells how content is to be read is
 * dropped (6.5.1). So is every field this program has a name for, but for ETag and Proxy-Status.
 */
#ifndef LARDER_HTTP_TRAILERS_H
#define LARDER_HTTP_TRAILERS_H

#include "http/message.h"

bool trailer_may_pass(const struct http_field *field);

/* The trailer section of a chunked body, found to be one by h1_body, with or without the empty line
 * that ends it. What may pass is appended; spans are borrowed. */
void trailers_read(struct span section, struct http_fields *out);

/* Deep copies of all of them, in the arena of `to`, which they replace. */
void trailers_copy(struct http_fields *to, const struct http_fields *from);

/* Whoever sent the request says that trailers of the response will not be lost: by TE, which
 * HTTP/1.1 has to name in Connection (RFC 9110 10.1.4). */
bool trailers_are_wanted(const struct http_head *request);

#endif
