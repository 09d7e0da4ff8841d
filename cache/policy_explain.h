/*
 * policy_explain - the arithmetic behind a stored response's age and lifetime (RFC 9111 4.2), with
 * the source of each number. Pure. The sums are those that policy_freshness() stored; only their
 * parts are read from the fields again.
 */
#ifndef LARDER_CACHE_POLICY_EXPLAIN_H
#define LARDER_CACHE_POLICY_EXPLAIN_H

#include "cache/policy.h"

/* In seconds; times since 1970; -1: none. Spans are borrowed from fields and settings. */
struct policy_account {
    /* the age: age_field + transit + resident = age */
    int64_t age_field;  /* value of Age on arrival; 0 without a valid one */
    int64_t transit;    /* most time on the way: the response delay, or by Date */
    bool transit_dated; /* by Date: it came through a cache that sends no Age */
    int64_t resident;   /* since it arrived or was validated */
    int64_t age;

    /* the lifetime */
    enum lifetime_source source;
    struct span field;     /* with the lifetime: "Cache-Control", "Expires", a targeted one */
    struct span directive; /* "max-age" or "s-maxage"; empty for dates */
    int64_t date, expires, last_modified; /* of the fields; the last two only if they were used */
    int percent; /* heuristic: percentage of the time from last_modified to date; 0: not heuristic
                  */
    bool capped; /* limited by heuristic_max */
    int64_t lifetime;
    int64_t remaining; /* negative: how long it has been stale */
};

/* `response` has the stored fields and the status. */
void policy_explain(const struct http_head *response, const struct freshness *freshness,
                    const struct policy_settings *settings, int64_t now,
                    struct policy_account *out);

#endif
