/*
 * control - Cache-Control of requests and responses as flags and seconds (RFC 9111 5.2, 5861,
 * 8246), and targeted fields (RFC 9213) as the Structured Field dictionaries they are. Pure.
 */
#ifndef LARDER_HTTP_CONTROL_H
#define LARDER_HTTP_CONTROL_H

#include "http/headers.h"

#define SECONDS_NONE (-1)                /* directive absent */
#define SECONDS_MAX (((int64_t)1) << 40) /* larger numbers are clamped here: simply long */

struct cache_control {
    bool present; /* a Cache-Control (or targeted) line was there */
    /* no_cache and is_private are set by the qualified forms (no-cache="x") too; these have a list
     * below. An empty list is the unqualified form, which holds for the whole response. */
    bool no_store, no_cache, no_transform, must_revalidate, proxy_revalidate;
    bool is_private, is_public, must_understand, immutable, only_if_cached;
    /* SECONDS_NONE, or ≥ 0; of several the first. A max-age or s-maxage that is there but not a
     * number is 0: stale. The others count only when they are numbers. */
    int64_t max_age, s_maxage, min_fresh, max_stale, stale_while_revalidate, stale_if_error;
    bool max_stale_any;                          /* max-stale without a value */
    struct span no_cache_fields, private_fields; /* the qualified forms' lists; may be empty */
};

/* All lines of Cache-Control. Directive names without case; quoted strings respected. Where other
 * than commas separate ("no-cache; no-store"), only what forbids or restricts reuse counts. */
void control_parse(const struct http_fields *fields, struct cache_control *out);

/* A targeted field; false when it is absent, empty, does not parse, or has seconds that are not an
 * integer (then it counts for nothing). */
bool control_parse_targeted(const struct http_fields *fields, struct span name,
                            struct cache_control *out);

/* A delta-seconds value such as Age's: digits only, saturating at SECONDS_MAX; -1 otherwise. */
int64_t control_seconds(struct span value);

#endif
