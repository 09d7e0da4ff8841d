/* policy - reading requests, lifetimes and ages. Reuse is in policy_reuse.c, storing and updating
 * in policy_store.c. */
#include "cache/policy.h"

#include "base/check.h"
#include "base/minmax.h"
#include "cache/policy_response.h"
#include "http/date.h"
#include "http/validator.h"

/* Ages and lifetimes stay below this, so that sums of a few do not overflow. */
#define CLAMP_MAX SECONDS_MAX

const struct policy_settings policy_defaults = {
    .heuristic_percent = 10,
    .heuristic_max = INT64_C(7) * 24 * 3600,
    .stale_if_error = -1,
};

static const struct cache_control no_control = {
    .max_age = SECONDS_NONE,
    .s_maxage = SECONDS_NONE,
    .min_fresh = SECONDS_NONE,
    .max_stale = SECONDS_NONE,
    .stale_while_revalidate = SECONDS_NONE,
    .stale_if_error = SECONDS_NONE,
};

/* Tolerance in seconds: clocks are corrected in small steps, and event loops read them at different
 * moments. */
#define CLOCK_SLACK 60

static int64_t clamp(int64_t seconds)
{
    return seconds < 0 ? 0 : seconds > CLAMP_MAX ? CLAMP_MAX : seconds;
}

/* ---- requests ---- */

/* Does the request have a body? Content-Length: 0 means that it has none. */
static bool has_body(const struct http_head *request)
{
    return request->framing != BODY_NONE && request->content_length != 0;
}

static enum reason lookup_obstacle(const struct http_head *request, bool conditional)
{
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
        return REASON_METHOD;
    }
    if (has_body(request)) {
        return REASON_REQUEST_BODY;
    }
    return conditional ? REASON_CONDITIONAL : REASON_NONE;
}

static void read_request_control(const struct http_fields *fields, bool has_control,
                                 const struct policy_settings *settings, struct cache_control *out)
{
    if (has_control) {
        control_parse(fields, out);
    } else if (fields_list_has(fields, FIELD_PRAGMA, SPAN("no-cache"))) {
        out->present = true;
        out->no_cache = true;
    }
    if (settings->ignore_client_control) {
        out->no_cache = false;
        out->max_age = SECONDS_NONE;
        out->min_fresh = SECONDS_NONE;
    }
}

void policy_read_request(const struct http_head *request, const struct policy_settings *settings,
                         struct policy_request *out)
{
    bool conditional = false;
    bool has_control = false;
    bool has_pragma = false;

    *out = (struct policy_request){.method = request->method, .control = no_control};
    for (size_t i = 0; i < request->fields.count; i++) {
        switch (request->fields.at[i].id) {
        case FIELD_AUTHORIZATION:
            out->authorization = true;
            break;
        case FIELD_RANGE:
            /* Range is defined for GET only (RFC 9110 14.2) */
            out->has_range = request->method == METHOD_GET;
            break;
        case FIELD_IF_MATCH:
            /* a precondition for the origin, which the cache must not evaluate (RFC 9111 4.3.2) */
            conditional = true;
            break;
        case FIELD_CACHE_CONTROL:
            has_control = true;
            break;
        case FIELD_PRAGMA:
            has_pragma = true;
            break;
        default:
            break;
        }
    }
    if (has_control || has_pragma) {
        read_request_control(&request->fields, has_control, settings, &out->control);
    }
    out->reason = lookup_obstacle(request, conditional);
    out->lookup = out->reason == REASON_NONE;
}

/* ---- responses ---- */

bool policy_control(const struct http_head *response, const struct policy_settings *settings,
                    struct cache_control *out)
{
    for (size_t i = 0; i < settings->targeted_count; i++) {
        if (control_parse_targeted(&response->fields, settings->targeted[i], out)) {
            return true;
        }
    }
    control_parse(&response->fields, out);
    return false;
}

bool policy_status_is_heuristic(int status, bool is_public)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 206:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 451: /* RFC 7725 3: cacheable by default */
    case 501:
        return true;
    default:
        return is_public && http_status_text(status).len == 0;
    }
}

/* Has a cache forwarded the response that is too old to know Age? Only then is Date compared with
 * our clock (4.2.3, apparent_age): a wrong clock at the origin must not count as age. */
static bool came_through_http10(const struct http_fields *response)
{
    struct list_members via = list_members(response, FIELD_VIA);
    struct span member;

    while (list_next(&via, &member)) {
        if (span_starts(member, SPAN("1.0 ")) || span_starts(member, SPAN("HTTP/1.0 "))) {
            return true;
        }
    }
    return false;
}

/* corrected_initial_age (4.2.3). Of several Age values the first counts; malformed ones are
 * ignored. */
static int64_t initial_age(const struct http_head *response, struct policy_times times,
                           int64_t date)
{
    struct list_members values = list_members(&response->fields, FIELD_AGE);
    struct span value;
    int64_t upstream = list_next(&values, &value) ? control_seconds(value) : 0;
    int64_t delay = clamp(times.response - times.request);
    int64_t corrected = max_i64(upstream, 0) + delay;

    if (came_through_http10(&response->fields)) {
        corrected = max_i64(corrected, times.response - date);
    }
    return clamp(corrected);
}

static int64_t heuristic(const struct policy_settings *settings, int64_t date,
                         int64_t last_modified)
{
    int64_t since = clamp(date - last_modified);
    int64_t lifetime =
        since / 100 * settings->heuristic_percent + since % 100 * settings->heuristic_percent / 100;

    return lifetime < settings->heuristic_max ? lifetime : settings->heuristic_max;
}

/* Sets lifetime and source by 4.2.1 and 4.2.2, in their order of precedence. */
static void set_lifetime(const struct http_head *response, const struct cache_control *control,
                         bool targeted, int64_t date, const struct policy_settings *settings,
                         struct freshness *out)
{
    const struct http_field *expires = fields_find(&response->fields, FIELD_EXPIRES);

    if (control->s_maxage >= 0) {
        out->source = targeted ? LIFETIME_TARGETED : LIFETIME_S_MAXAGE;
        out->lifetime = control->s_maxage;
    } else if (control->max_age >= 0) {
        out->source = targeted ? LIFETIME_TARGETED : LIFETIME_MAX_AGE;
        out->lifetime = control->max_age;
    } else if (expires && !targeted) {
        int64_t until = date_parse(expires->value, out->response_time);
        out->source = LIFETIME_EXPIRES;
        out->lifetime = until < 0 ? 0 : clamp(until - date);
    } else if (out->last_modified >= 0 &&
               policy_status_is_heuristic(response->status, control->is_public)) {
        out->source = LIFETIME_HEURISTIC;
        out->lifetime = heuristic(settings, date, out->last_modified);
    }
    out->lifetime = clamp(out->lifetime);
}

static int64_t date_of(const struct http_head *response, enum http_field_id id, int64_t now)
{
    const struct http_field *field = fields_find(&response->fields, id);

    return field ? date_parse(field->value, now) : -1;
}

/* Applies what the configuration knows of the place. Only successful responses get longer
 * lifetimes. */
static void apply_known(const struct policy_known *known, int status, struct freshness *out)
{
    bool success = status == 200;
    bool silent = out->source == LIFETIME_NONE || out->source == LIFETIME_HEURISTIC;

    if (success && known->if_silent && silent) {
        out->source = LIFETIME_KNOWN;
        out->lifetime = known->if_silent;
    }
    if (success && out->lifetime < known->at_least) {
        out->source = LIFETIME_KNOWN;
        out->lifetime = known->at_least;
    }
    if (success && known->at_least) {
        out->no_cache = false;
    }
    if (known->at_most && out->lifetime > known->at_most) {
        out->source = LIFETIME_KNOWN;
        out->lifetime = known->at_most;
    }
    out->checked = known->validate;
}

/* Applies the limits of redirects, unless the configuration knows the place for certain
 * (`certain`). */
static void apply_way(const struct policy_way *way, bool certain, struct freshness *out)
{
    out->shareable_with_authorization &= !way->own;
    if (certain) {
        return;
    }
    if (way->bounded) {
        int64_t lifetime = clamp(out->initial_age + clamp(way->until - out->response_time));
        out->lifetime = lifetime < out->lifetime ? lifetime : out->lifetime;
    }
    out->no_cache |= way->no_cache;
    out->must_revalidate |= way->must_revalidate;
}

void policy_freshness(const struct http_head *response, struct policy_times times,
                      const struct policy_settings *settings, struct freshness *out)
{
    struct cache_control control;
    bool targeted = policy_control(response, settings, &control);
    int64_t date = date_of(response, FIELD_DATE, times.response);

    if (date < 0) {
        date = times.response;
    }
    *out = (struct freshness){
        .response_time = times.response,
        .initial_age = initial_age(response, times, date),
        .stale_while_revalidate = control.stale_while_revalidate,
        .stale_if_error = control.stale_if_error,
        .last_modified = date_of(response, FIELD_LAST_MODIFIED, times.response),
        .source = LIFETIME_NONE,
        .no_cache = control.no_cache,
        .must_revalidate =
            control.must_revalidate || control.proxy_revalidate || control.s_maxage >= 0,
        .immutable = control.immutable,
        .shareable_with_authorization =
            /* RFC 9111 3.5 */
        control.is_public || control.must_revalidate || control.s_maxage >= 0,
    };
    out->has_validator =
        out->last_modified >= 0 || etag_is_valid(fields_get(&response->fields, FIELD_ETAG));
    set_lifetime(response, &control, targeted, date, settings, out);
    if (settings->known) {
        apply_known(settings->known, response->status, out);
    }
    if (settings->way) {
        bool certain = settings->known && settings->known->at_least && response->status == 200;
        apply_way(settings->way, certain, out);
    }
}

int64_t policy_age(const struct freshness *freshness, int64_t now)
{
    if (freshness->response_time - now > CLOCK_SLACK) {
        return SECONDS_MAX;
    }
    return clamp(freshness->initial_age + clamp(now - freshness->response_time));
}
