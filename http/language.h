/*
 * language - which of some languages a client prefers: Accept-Language (RFC 9110 12.5.4) with
 * lookup (RFC 4647 3.4). Pure.
 */
#ifndef LARDER_HTTP_LANGUAGE_H
#define LARDER_HTTP_LANGUAGE_H

#include "http/headers.h"

/* Index of the best of `count` tags ("de", "pt-BR"); `fallback` if the client has no preference, or
 * none of the tags matches. Only the first LANGUAGE_RANGES_MAX ranges count. */
enum { LANGUAGE_RANGES_MAX = 16 };
size_t language_best(const struct http_fields *fields, const struct span *tags, size_t count,
                     size_t fallback);

/* Letters and digits with hyphens between them, at most 35 bytes (RFC 5646 4.4). */
bool language_is_tag(struct span text);

#endif
