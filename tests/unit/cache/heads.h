/*
 * heads - message heads for table rows, written as text: "Name: value|Name: value".
 *
 * Dates are written relative to NOW: "@-60" is the HTTP date of a minute before it.
 */
#ifndef LARDER_TESTS_CACHE_HEADS_H
#define LARDER_TESTS_CACHE_HEADS_H

#include "cache/policy.h"

#define NOW INT64_C(1800000000)

/* A response with this status. */
void head_response(struct http_head *head, struct arena *arena, int status, const char *fields);
/* What policy_freshness() says of it when it was asked for and came at NOW. */
void head_freshness(struct arena *arena, int status, const char *fields,
                    const struct policy_settings *settings, struct freshness *out);
/* A request without a body. */
void head_request(struct http_head *head, struct arena *arena, enum http_method method,
                  const char *fields);

/* Expects `of` the row `what` to be `want`. */
void head_expect(int64_t got, int64_t want, const char *what, const char *of);

/* `fields` are these, in this order and spelling; `want` is written like a head, dates in full. */
bool head_fields_are(const struct http_fields *fields, const char *want);

#endif
