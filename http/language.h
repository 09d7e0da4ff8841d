/*
 * language - which of some languages a client reads best, by Accept-Language (RFC 9110 12.5.4) and
 * lookup (RFC 4647 3.4). Pure.
 */
#ifndef LARDER_HTTP_LANGUAGE_H
#define LARDER_HTTP_LANGUAGE_H

#include "http/headers.h"

/* The index of the best of `count` tags ("de", "pt-BR"), or `fallback` when the client says
 * nothing, or nothing that is there. Looks at the first LANGUAGE_RANGES_MAX ranges. */
enum { LANGUAGE_RANGES_MAX = 16 };
size_t language_best(const struct http_fields *fields, const struct span *tags, size_t count,
                     size_t fallback);

/* Letters, digits and hyphens between them, at most 35 (RFC 5646 4.4). */
bool language_is_tag(struct span text);

#endif
