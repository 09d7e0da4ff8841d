/*
 * control - Cache-Control of requests and responses as flags and seconds (RFC 9111 5.2, RFC 5861,
 * RFC 8246), and targeted fields (RFC 9213), which are Structured Field dictionaries. Pure.
 */
#ifndef LARDER_HTTP_CONTROL_H
#define LARDER_HTTP_CONTROL_H

#include "http/headers.h"

#define SECONDS_NONE (-1)                /* directive absent */
#define SECONDS_MAX (((int64_t)1) << 40) /* larger numbers are clamped here: simply long */

struct cache_control {
    bool present; /* there was a Cache-Control (or targeted) line */
    /* no_cache and is_private are also set by the qualified forms (no-cache="x"), which have a list
     * below. Without a list they apply to the whole response. */
    bool no_store, no_cache, no_transform, must_revalidate, proxy_revalidate;
    bool is_private, is_public, must_understand, immutable, only_if_cached;
    /* SECONDS_NONE, or ≥ 0; of several the first. A malformed max-age or s-maxage counts as 0, that
     * is, stale; the others are ignored when malformed. */
    int64_t max_age, s_maxage, min_fresh, max_stale, stale_while_revalidate, stale_if_error;
    bool max_stale_any;                          /* max-stale without a value */
    struct span no_cache_fields, private_fields; /* of the qualified forms; may be empty */
};

/* Parses all lines of Cache-Control. Directive names are compared without case, quoted strings
 * respected. If something other than commas separates ("no-cache; no-store"), only directives that
 * forbid or restrict reuse are accepted. */
void control_parse(const struct http_fields *fields, struct cache_control *out);

/* Parses a targeted field. False: it is absent, empty or malformed, or has seconds that are no
 * integer; then it must be ignored. */
bool control_parse_targeted(const struct http_fields *fields, struct span name,
                            struct cache_control *out);

/* Parses delta-seconds, such as Age: digits only, at most SECONDS_MAX; -1: malformed. */
int64_t control_seconds(struct span value);

#endif
