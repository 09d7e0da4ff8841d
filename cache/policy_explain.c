#include "cache/policy_explain.h"

#include "http/date.h"

static int64_t date_in(const struct http_fields *fields, enum http_field_id id, int64_t now)
{
    const struct http_field *field = fields_find(fields, id);

    return field ? date_parse(field->value, now) : -1;
}

/* ---- the age ---- */

static int64_t age_field(const struct http_fields *fields)
{
    struct list_members values = list_members(fields, FIELD_AGE);
    struct span value;
    int64_t age = list_next(&values, &value) ? control_seconds(value) : 0;

    return age < 0 ? 0 : age;
}

static bool came_through_http10(const struct http_fields *fields)
{
    struct list_members via = list_members(fields, FIELD_VIA);
    struct span member;

    while (list_next(&via, &member)) {
        if (span_starts(member, SPAN("1.0 ")) || span_starts(member, SPAN("HTTP/1.0 "))) {
            return true;
        }
    }
    return false;
}

static void account_age(const struct http_fields *fields, const struct freshness *freshness,
                        int64_t now, struct policy_account *out)
{
    int64_t initial = freshness->initial_age;

    out->age = policy_age(freshness, now);
    out->resident = out->age > initial ? out->age - initial : 0;
    out->age_field = age_field(fields);
    if (out->age_field > initial) {
        out->age_field = initial; /* the sum was limited when the response was stored */
    }
    out->transit = initial - out->age_field;
    out->transit_dated = out->transit > 0 && came_through_http10(fields) &&
                         initial == freshness->response_time - out->date;
}

/* ---- the lifetime ---- */

/* The name of the targeted field that counts (RFC 9213 2.2). */
static struct span targeted_field(const struct http_fields *fields,
                                  const struct policy_settings *settings,
                                  struct cache_control *control)
{
    for (size_t i = 0; i < settings->targeted_count; i++) {
        if (control_parse_targeted(fields, settings->targeted[i], control)) {
            return settings->targeted[i];
        }
    }
    return SPAN_EMPTY; /* the settings have changed since the response was stored */
}

static void account_guess(const struct freshness *freshness, const struct policy_settings *settings,
                          struct policy_account *out)
{
    int64_t since = out->date > freshness->last_modified ? out->date - freshness->last_modified : 0;

    out->field = SPAN("Last-Modified");
    out->last_modified = freshness->last_modified;
    out->capped = out->lifetime == settings->heuristic_max;
    /* not shown if the settings have changed since the response was stored */
    if (since / 100 * settings->heuristic_percent +
            since % 100 * settings->heuristic_percent / 100 ==
        out->lifetime) {
        out->percent = settings->heuristic_percent;
        out->capped = false;
    }
}

static void account_lifetime(const struct http_fields *fields, const struct freshness *freshness,
                             const struct policy_settings *settings, struct policy_account *out)
{
    struct cache_control control;

    switch (out->source) {
    case LIFETIME_TARGETED:
        out->field = targeted_field(fields, settings, &control);
        out->directive =
            out->field.len && control.s_maxage >= 0 ? SPAN("s-maxage") : SPAN("max-age");
        break;
    case LIFETIME_S_MAXAGE:
        out->field = SPAN("Cache-Control");
        out->directive = SPAN("s-maxage");
        break;
    case LIFETIME_MAX_AGE:
        out->field = SPAN("Cache-Control");
        out->directive = SPAN("max-age");
        break;
    case LIFETIME_EXPIRES:
        out->field = SPAN("Expires");
        out->expires = date_in(fields, FIELD_EXPIRES, freshness->response_time);
        break;
    case LIFETIME_HEURISTIC:
        account_guess(freshness, settings, out);
        break;
    case LIFETIME_KNOWN:
    case LIFETIME_NONE:
        break;
    }
}

void policy_explain(const struct http_head *response, const struct freshness *freshness,
                    const struct policy_settings *settings, int64_t now, struct policy_account *out)
{
    int64_t date = date_in(&response->fields, FIELD_DATE, freshness->response_time);

    *out = (struct policy_account){
        .date = date < 0 ? freshness->response_time : date,
        .expires = -1,
        .last_modified = -1,
        .source = (enum lifetime_source)freshness->source,
        .lifetime = freshness->lifetime,
    };
    account_age(&response->fields, freshness, now, out);
    account_lifetime(&response->fields, freshness, settings, out);
    out->remaining = out->lifetime - out->age;
}
