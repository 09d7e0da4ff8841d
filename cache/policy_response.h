/*
 * policy_response - what policy's own files share about responses. Pure. Nobody else includes it.
 */
#ifndef LARDER_CACHE_POLICY_RESPONSE_H
#define LARDER_CACHE_POLICY_RESPONSE_H

#include "cache/policy.h"

/* The directives that count for a response: those of the first targeted field that is present and
 * parses (RFC 9213 2.2), else those of Cache-Control. True when they are targeted: Cache-Control
 * and Expires then count for nothing. */
bool policy_control(const struct http_head *response, const struct policy_settings *settings,
                    struct cache_control *out);

/* May a lifetime be guessed for this status (RFC 9111 4.2.2, RFC 9110 15.1)? `is_public` opens the
 * way for statuses no standard knows. */
bool policy_status_is_heuristic(int status, bool is_public);

/* The lifetime was given by the origin, not guessed. */
static inline bool freshness_is_explicit(const struct freshness *freshness)
{
    return freshness->source != LIFETIME_NONE && freshness->source != LIFETIME_HEURISTIC;
}

#endif
