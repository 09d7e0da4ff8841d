/* policy_reuse - may a stored response answer this request (RFC 9111 4, 5.2.1; RFC 5861; RFC
 * 8246)? */
#include "cache/policy.h"

/* max-age=0 is what a reload sends: it asks for validation even within the first second. */
static bool is_reload(const struct cache_control *control)
{
    return control->max_age == 0;
}

static bool is_older_than_asked(const struct cache_control *control, int64_t age)
{
    return is_reload(control) || (control->max_age > 0 && age > control->max_age);
}

static enum policy_verdict reuse_fresh(const struct policy_request *request,
                                       const struct freshness *freshness, int64_t age,
                                       enum reason *reason)
{
    const struct cache_control *control = &request->control;

    if (is_older_than_asked(control, age) && !(freshness->immutable && is_reload(control))) {
        *reason = REASON_REQUEST_MAX_AGE;
        return POLICY_VALIDATE;
    }
    if (control->min_fresh > freshness->lifetime - age) {
        *reason = REASON_REQUEST_MIN_FRESH;
        return POLICY_VALIDATE;
    }
    *reason = REASON_FRESH;
    return POLICY_FRESH;
}

/* The reason that forbids answering this request with a stale response, or REASON_NONE. */
static enum reason stale_obstacle(const struct policy_request *request,
                                  const struct freshness *freshness, int64_t age)
{
    if (freshness->must_revalidate) {
        return REASON_MUST_REVALIDATE;
    }
    if (is_older_than_asked(&request->control, age)) {
        return REASON_REQUEST_MAX_AGE;
    }
    return request->control.min_fresh >= 0 ? REASON_REQUEST_MIN_FRESH : REASON_NONE;
}

static enum policy_verdict reuse_stale(const struct policy_request *request,
                                       const struct freshness *freshness, int64_t age,
                                       enum reason *reason)
{
    const struct cache_control *control = &request->control;
    int64_t staleness = age - freshness->lifetime;

    *reason = stale_obstacle(request, freshness, age);
    if (*reason != REASON_NONE) {
        return POLICY_VALIDATE;
    }
    if (control->max_stale_any || control->max_stale >= staleness) {
        *reason = REASON_STALE_REQUEST;
        return POLICY_FRESH;
    }
    if (staleness < freshness->stale_while_revalidate) {
        *reason = REASON_STALE_WHILE_REVALIDATE;
        return POLICY_STALE_NOW;
    }
    *reason = REASON_STALE;
    return POLICY_VALIDATE;
}

/* The reason that requires validation whatever the age is, or REASON_NONE. */
static enum reason reuse_obstacle(const struct policy_request *request,
                                  const struct freshness *freshness)
{
    if (request->authorization && !freshness->shareable_with_authorization) {
        return REASON_AUTHORIZATION;
    }
    if (freshness->no_cache) {
        return REASON_NO_CACHE;
    }
    return request->control.no_cache ? REASON_REQUEST_NO_CACHE : REASON_NONE;
}

enum policy_verdict policy_reuse(const struct policy_request *request,
                                 const struct freshness *freshness, int64_t now,
                                 enum reason *reason)
{
    int64_t age = policy_age(freshness, now);

    *reason = reuse_obstacle(request, freshness);
    if (*reason == REASON_NONE && freshness->checked) {
        *reason = REASON_NO_CACHE;
    }
    if (*reason != REASON_NONE) {
        return POLICY_VALIDATE;
    }
    return age < freshness->lifetime ? reuse_fresh(request, freshness, age, reason)
                                     : reuse_stale(request, freshness, age, reason);
}

enum policy_verdict policy_reuse_confirmed(const struct policy_request *request,
                                           const struct freshness *freshness, int64_t now,
                                           enum reason *reason)
{
    struct policy_request asks = *request;
    struct freshness says = *freshness;

    asks.control.no_cache = false;
    asks.control.max_age = is_reload(&asks.control) ? -1 : asks.control.max_age;
    says.checked = 0;
    return policy_reuse(&asks, &says, now, reason);
}

/* For how many seconds after its lifetime the response may be used when the origin fails. An
 * explicit permission by the origin or the client takes precedence over the configuration. */
static int64_t error_window(const struct policy_request *request, const struct freshness *freshness,
                            const struct policy_settings *settings)
{
    int64_t given = freshness->stale_if_error > request->control.stale_if_error
                        ? freshness->stale_if_error
                        : request->control.stale_if_error;

    return given >= 0 ? given : settings->stale_if_error;
}

bool policy_stale_on_error(const struct policy_request *request, const struct freshness *freshness,
                           const struct policy_settings *settings, int64_t now)
{
    int64_t staleness = policy_age(freshness, now) - freshness->lifetime;
    int64_t window = error_window(request, freshness, settings);

    if (reuse_obstacle(request, freshness) != REASON_NONE) {
        return false;
    }
    if (staleness < 0) {
        return true;
    }
    return !freshness->must_revalidate && (window < 0 || staleness <= window);
}
