#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool has(const struct message *m, const char *name)
{
    return text_line(m, name, 0) != NULL;
}

static bool is_in(int status, const int *list)
{
    while (*list && *list != status) {
        list++;
    }
    return *list != 0;
}

/* Statuses whose meaning is known (RFC 9110 15, 2518, 4918, 5842, 6585, 7725, 8297, 8470 …). */
static const int known[] = {100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208,
                            226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403,
                            404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416,
                            417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501,
                            502, 503, 504, 505, 506, 507, 508, 511, 0};

/* Heuristically cacheable: RFC 9110 15.1, RFC 7725 3. */
static const int heuristic[] = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 451, 501, 0};

/* ---- the response ---- */

/* 4.2.3. Date − arrival counts only when a cache without Age may have been on the way. */
static bool via_http10(const struct message *m)
{
    struct members via;

    text_members(m, "Via", &via);
    for (size_t i = 0; i < via.count; i++) {
        if (strncmp(via.at[i], "1.0 ", 4) == 0 || strncmp(via.at[i], "HTTP/1.0 ", 9) == 0) {
            return true;
        }
    }
    return false;
}

/* The field as a date, -1 when it is absent or none. */
static int64_t date_of(const struct policy_case *c, const char *name)
{
    const char *value = text_line(&c->response, name, 0);

    return value ? text_date(value, c->received) : -1;
}

/* 4.2: an unusable Date is replaced by the time of receipt (RFC 9110 6.6.1). */
static int64_t date_value(const struct policy_case *c)
{
    int64_t date = date_of(c, "Date");

    return date >= 0 ? date : c->received;
}

static int64_t between(int64_t low, int64_t value, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static int64_t initial_age(const struct policy_case *c)
{
    struct members ages;
    text_members(&c->response, "Age", &ages);
    int64_t age_value = ages.count ? text_seconds(ages.at[0]) : 0; /* 5.1: the first */
    int64_t apparent_age = c->received - date_value(c);
    int64_t response_delay = c->received - c->sent;

    age_value = age_value < 0 ? 0 : age_value;
    response_delay = response_delay < 0 ? 0 : response_delay;
    int64_t corrected_age_value = age_value + response_delay;
    if (via_http10(&c->response) && apparent_age > corrected_age_value) {
        corrected_age_value = apparent_age;
    }
    return between(0, corrected_age_value, MODEL_LONG);
}

/* 4.2.2: a tenth of the time since the last change, at most a week. */
static int64_t guessed(const struct policy_case *c)
{
    int64_t since = date_value(c) - date_of(c, "Last-Modified");

    return between(0, since / 10, 7 * 24 * 3600);
}

/* 4.2.1, one after the other. */
static void read_lifetime(const struct policy_case *c, struct model_response *out)
{
    const struct model_control *control = &out->control;
    int status = c->response.status;

    out->source = LIFETIME_NONE;
    out->lifetime = 0;
    if (control->s_maxage >= 0) {
        out->source = out->targeted ? LIFETIME_TARGETED : LIFETIME_S_MAXAGE;
        out->lifetime = control->s_maxage;
    } else if (control->max_age >= 0) {
        out->source = out->targeted ? LIFETIME_TARGETED : LIFETIME_MAX_AGE;
        out->lifetime = control->max_age;
    } else if (has(&c->response, "Expires") && !out->targeted) {
        int64_t expires = date_of(c, "Expires"); /* 5.3: what is no date is in the past */
        out->source = LIFETIME_EXPIRES;
        out->lifetime = expires < 0 ? 0 : between(0, expires - date_value(c), MODEL_LONG);
    } else if (date_of(c, "Last-Modified") >= 0 &&
               (is_in(status, heuristic) || (control->is_public && !is_in(status, known)))) {
        out->source = LIFETIME_HEURISTIC;
        out->lifetime = guessed(c);
    }
}

void model_read_response(const struct policy_case *c, struct model_response *out)
{
    struct model_control *control = &out->control;

    out->targeted = c->targeted && (text_targeted(&c->response, "Larder-Cache-Control", control) ||
                                    text_targeted(&c->response, "CDN-Cache-Control", control));
    if (!out->targeted) {
        text_control(&c->response, control);
    }
    read_lifetime(c, out);
    out->initial_age = initial_age(c);
    const char *etag = text_line(&c->response, "ETag", 0);
    out->has_validator = date_of(c, "Last-Modified") >= 0 || (etag && text_is_etag(etag));
    /* 5.2.2.2, 5.2.2.8, 5.2.2.10 */
    out->never_stale =
        control->must_revalidate || control->proxy_revalidate || control->s_maxage >= 0;
    /* 3.5 */
    out->permits_authorization =
        control->must_revalidate || control->is_public || control->s_maxage >= 0;
}

/* ---- requests ---- */

reasons model_lookup(const struct message *request)
{
    reasons why = 0;

    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        why |= REASON_BIT(METHOD);
    }
    if (request->body) {
        why |= REASON_BIT(REQUEST_BODY);
    }
    /* 4.3.2: only the origin may evaluate it */
    if (has(request, "If-Match")) {
        why |= REASON_BIT(CONDITIONAL);
    }
    return why;
}

void model_read_request(const struct policy_case *c, struct model_control *out)
{
    struct members pragma;

    text_control(&c->asking, out);
    text_members(&c->asking, "Pragma", &pragma);
    for (size_t i = 0; i < pragma.count && !has(&c->asking, "Cache-Control"); i++) {
        out->no_cache |= strcasecmp(pragma.at[i], "no-cache") == 0; /* 5.4 */
    }
    if (c->ignore_client_control) {
        out->no_cache = false;
        out->max_age = -1;
        out->min_fresh = -1;
    }
}

/* ---- storing, 3 ---- */

static bool varies_on_all(const struct message *response)
{
    struct members names;

    text_members(response, "Vary", &names);
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.at[i], "*") == 0) {
            return true;
        }
    }
    return false;
}

static bool is_explicit(const struct model_response *r)
{
    return r->source != LIFETIME_NONE && r->source != LIFETIME_HEURISTIC;
}

static reasons status_speaks_against(int status)
{
    static const int of_one_hop[] = {407, 0};
    static const int rfc6585[] = {428, 429, 431, 511, 0};
    reasons why = 0;

    why |= status < 200 || is_in(status, of_one_hop) || is_in(status, rfc6585) ? REASON_BIT(STATUS)
                                                                               : 0;
    why |= status == 206 ? REASON_BIT(PARTIAL) : 0;
    why |= status == 304 || status == 412 ? REASON_BIT(CONDITIONAL) : 0;
    why |= status == 416 ? REASON_BIT(RANGE) : 0;
    return why;
}

static reasons directives_speak_against(const struct model_control *control, int status)
{
    bool understood = is_in(status, known);
    reasons why = 0;

    /* 5.2.2.3 */
    why |= control->must_understand && !understood ? REASON_BIT(MUST_UNDERSTAND) : 0;
    why |= control->no_store && !control->must_understand ? REASON_BIT(RESPONSE_NO_STORE) : 0;
    why |= control->is_private ? REASON_BIT(PRIVATE) : 0;
    return why;
}

/* Could any later request be answered with it, even after a validation or when the origin fails? */
static bool is_of_use(const struct model_response *r)
{
    const struct model_control *control = &r->control;
    bool as_fresh = !control->no_cache && r->lifetime > r->initial_age;
    bool as_stale = !control->no_cache && !r->never_stale &&
                    (control->stale_while_revalidate > 0 || control->stale_if_error > 0);

    return r->has_validator || as_fresh || as_stale;
}

reasons model_store(const struct policy_case *c, const struct model_response *r)
{
    const struct message *request = &c->storing;
    struct model_control asked;
    int status = c->response.status;
    reasons why = status_speaks_against(status) | directives_speak_against(&r->control, status);

    text_control(request, &asked);
    why |= strcmp(request->method, "GET") != 0 ? REASON_BIT(METHOD) : 0;
    why |= request->body ? REASON_BIT(REQUEST_BODY) : 0;
    why |= asked.no_store ? REASON_BIT(REQUEST_NO_STORE) : 0; /* 5.2.1.5 */
    if (has(request, "Authorization") && !r->permits_authorization) {
        why |= REASON_BIT(AUTHORIZATION);
    }
    why |= varies_on_all(&c->response) ? REASON_BIT(VARY_STAR) : 0;
    bool fresh_by_itself = is_explicit(r) && r->lifetime > r->initial_age;
    if (has(&c->response, "Set-Cookie") && (c->refuse_set_cookie || !fresh_by_itself)) {
        why |= REASON_BIT(SET_COOKIE);
    }
    /* the last rule of 3 */
    if (!is_explicit(r) && !r->control.is_public && !is_in(status, heuristic)) {
        why |= REASON_BIT(STATUS);
    }
    why |= is_of_use(r) ? 0 : REASON_BIT(NO_LIFETIME);
    return why;
}

/* ---- reuse, 4 ---- */

/* What is from more than a minute ahead of the clock has an age that nobody knows. */
int64_t model_age(const struct model_response *r, int64_t step)
{
    if (step < -60) {
        return MODEL_LONG;
    }
    int64_t resident_time = step < 0 ? 0 : step;

    return between(0, r->initial_age + resident_time, MODEL_LONG);
}

/* What forbids any use without validation, whether fresh or not. */
static reasons forbidden(const struct policy_case *c, const struct model_response *r,
                         const struct model_control *asked)
{
    reasons why = 0;

    if (has(&c->asking, "Authorization") && !r->permits_authorization) {
        why |= REASON_BIT(AUTHORIZATION);
    }
    why |= r->control.no_cache ? REASON_BIT(NO_CACHE) : 0;     /* 5.2.2.4 */
    why |= asked->no_cache ? REASON_BIT(REQUEST_NO_CACHE) : 0; /* 5.2.1.4 */
    return why;
}

/* What the request demands beyond that: 5.2.1.1, 5.2.1.3. */
static reasons demanded(const struct model_control *asked, const struct model_response *r,
                        int64_t age)
{
    bool fresh = age < r->lifetime;
    bool reload = asked->max_age == 0;
    reasons why = 0;

    if (reload && !(r->control.immutable && fresh)) { /* RFC 8246 2 */
        why |= REASON_BIT(REQUEST_MAX_AGE);
    }
    if (asked->max_age > 0 && age > asked->max_age) {
        why |= REASON_BIT(REQUEST_MAX_AGE);
    }
    if (asked->min_fresh >= 0 && (!fresh || r->lifetime - age < asked->min_fresh)) {
        why |= REASON_BIT(REQUEST_MIN_FRESH);
    }
    return why;
}

enum policy_verdict model_reuse(const struct policy_case *c, const struct model_response *r,
                                const struct model_control *asked, int64_t step, reasons *why)
{
    int64_t age = model_age(r, step);
    int64_t staleness = age - r->lifetime;

    *why = forbidden(c, r, asked) | demanded(asked, r, age);
    if (staleness >= 0 && r->never_stale) {
        *why |= REASON_BIT(MUST_REVALIDATE); /* 4.2.4 */
    }
    if (*why) {
        return POLICY_VALIDATE;
    }
    if (staleness < 0) {
        *why = REASON_BIT(FRESH);
        return POLICY_FRESH;
    }
    if (asked->max_stale_any || asked->max_stale >= staleness) { /* 5.2.1.2 */
        *why = REASON_BIT(STALE_REQUEST);
        return POLICY_FRESH;
    }
    if (r->control.stale_while_revalidate > staleness) { /* RFC 5861 3 */
        *why = REASON_BIT(STALE_WHILE_REVALIDATE);
        return POLICY_STALE_NOW;
    }
    *why = REASON_BIT(STALE);
    return POLICY_VALIDATE;
}

/* 4.2.4, RFC 5861 4: the longer of two permissions; without one, what is configured. */
bool model_stale_on_error(const struct policy_case *c, const struct model_response *r,
                          const struct model_control *asked, int64_t step)
{
    int64_t staleness = model_age(r, step) - r->lifetime;

    if (forbidden(c, r, asked)) {
        return false;
    }
    if (staleness < 0) {
        return true;
    }
    if (r->never_stale) {
        return false;
    }
    if (r->control.stale_if_error >= 0 || asked->stale_if_error >= 0) {
        return staleness <= r->control.stale_if_error || staleness <= asked->stale_if_error;
    }
    return c->stale_if_error < 0 || staleness <= c->stale_if_error;
}
