/*
 * policy_response - what the files of policy share about responses. Pure. Only for policy*.c.
 */
#ifndef LARDER_CACHE_POLICY_RESPONSE_H
#define LARDER_CACHE_POLICY_RESPONSE_H

#include "cache/policy.h"

/* The cache directives that apply to a response: those of the first targeted field that is present
 * and valid (RFC 9213 2.2), else those of Cache-Control. True: they are targeted, and Cache-Control
 * and Expires are to be ignored. */
bool policy_control(const struct http_head *response, const struct policy_settings *settings,
                    struct cache_control *out);

/* May a heuristic lifetime be used for this status (RFC 9111 4.2.2, RFC 9110 15.1)? `is_public`
 * (the directive) allows it for unknown statuses. */
bool policy_status_is_heuristic(int status, bool is_public);

/* Was the lifetime given by the origin? */
static inline bool freshness_is_explicit(const struct freshness *freshness)
{
    return freshness->source != LIFETIME_NONE && freshness->source != LIFETIME_HEURISTIC;
}

#endif
