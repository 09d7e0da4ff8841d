/*
 * policy_explain - the arithmetic behind a stored response's age and lifetime (RFC 9111 4.2), each
 * number with the field it is from. Pure. The sums are those that policy_freshness() kept with the
 * response; only their parts are read again from its fields.
 */
#ifndef LARDER_CACHE_POLICY_EXPLAIN_H
#define LARDER_CACHE_POLICY_EXPLAIN_H

#include "cache/policy.h"

/* Seconds; times since 1970. -1: there is none. Spans are borrowed from the fields and settings. */
struct policy_account {
    /* the age: age_field + transit + resident = age */
    int64_t age_field;  /* what Age said on arrival; 0 without a usable one */
    int64_t transit;    /* on the way, at most: the delay of the response, or by Date */
    bool transit_dated; /* the latter: it came through a cache that knows no Age */
    int64_t resident;   /* since it arrived, or was confirmed */
    int64_t age;

    /* the lifetime */
    enum lifetime_source source;
    struct span field;     /* which has it: "Cache-Control", "Expires", a targeted field … */
    struct span directive; /* "max-age" or "s-maxage"; empty for dates */
    int64_t date, expires, last_modified; /* as the fields say; the two latter only if they count */
    int percent;                          /* heuristic: of last_modified to date; 0: another rule */
    bool capped;                          /* it is the longest that is guessed */
    int64_t lifetime;
    int64_t remaining; /* negative: stale for so long */
};

/* `response` has the stored fields and the status. */
void policy_explain(const struct http_head *response, const struct freshness *freshness,
                    const struct policy_settings *settings, int64_t now,
                    struct policy_account *out);

#endif
