/* policy_store - what may be stored (RFC 9111 3), what a 304 changes in it (3.2), and what an
 * unsafe request invalidates (4.4). */
#include "cache/policy.h"

#include "cache/policy_response.h"
#include "http/hop.h"
#include "http/validator.h"

/* ---- may it be stored? ---- */

static enum reason request_obstacle(const struct http_head *request)
{
    struct cache_control control;

    if (request->framing != BODY_NONE && request->content_length != 0 &&
        request->method != METHOD_POST) {
        return REASON_REQUEST_BODY;
    }
    if (!fields_has(&request->fields, FIELD_CACHE_CONTROL)) {
        return REASON_NONE;
    }
    control_parse(&request->fields, &control);
    return control.no_store ? REASON_REQUEST_NO_STORE : REASON_NONE;
}

/* Statuses about this one request or this one hop, not about the resource, are never stored. RFC
 * 6585 says so explicitly for 428, 429, 431 and 511, whatever their lifetime is. */
static enum reason status_obstacle(int status)
{
    switch (status) {
    case 206:
        return REASON_PARTIAL;
    case 416:
        return REASON_RANGE;
    case 304:
    case 412:
        return REASON_CONDITIONAL;
    case 407:
    case 428:
    case 429:
    case 431:
    case 511:
        return REASON_STATUS;
    default:
        return status < 200 ? REASON_STATUS : REASON_NONE;
    }
}

/* RFC 9111 5.2.2.3: with must-understand, no-store applies only to statuses that we do not
 * understand, which are then not stored even without no-store. */
static enum reason directive_obstacle(const struct cache_control *control, int status)
{
    if (control->must_understand && http_status_text(status).len == 0) {
        return REASON_MUST_UNDERSTAND;
    }
    if (control->no_store && !control->must_understand) {
        return REASON_RESPONSE_NO_STORE;
    }
    return control->is_private ? REASON_PRIVATE : REASON_NONE;
}

void policy_way_add(struct policy_way *way, const struct http_head *redirect,
                    struct policy_times times, const struct policy_settings *settings)
{
    struct policy_settings rules = *settings;
    struct cache_control control;
    struct freshness freshness;

    /* what the configuration knows is about this place, not about the redirects that led here */
    rules.known = NULL;
    rules.way = NULL;
    policy_control(redirect, &rules, &control);
    policy_freshness(redirect, times, &rules, &freshness);
    if (way->obstacle == REASON_NONE) {
        way->obstacle = directive_obstacle(&control, redirect->status);
    }
    if (freshness_is_explicit(&freshness)) {
        int64_t until = times.response + freshness.lifetime - freshness.initial_age;
        way->until = way->bounded && way->until < until ? way->until : until;
        way->bounded = true;
    }
    way->no_cache |= freshness.no_cache;
    way->must_revalidate |= freshness.must_revalidate;
    way->own |= !freshness.shareable_with_authorization;
}

static enum reason field_obstacle(const struct http_head *request, const struct http_head *response,
                                  const struct freshness *freshness,
                                  const struct policy_settings *settings)
{
    bool explicitly_fresh =
        freshness_is_explicit(freshness) && freshness->lifetime > freshness->initial_age;

    if (!freshness->shareable_with_authorization &&
        fields_has(&request->fields, FIELD_AUTHORIZATION)) {
        return REASON_AUTHORIZATION;
    }
    if (fields_list_has(&response->fields, FIELD_VARY, SPAN("*")) ||
        (settings->per_client.len &&
         fields_list_has(&response->fields, FIELD_VARY, settings->per_client))) {
        return REASON_VARY_STAR;
    }
    if (settings->known && settings->known->only_success && response->status != 200) {
        return REASON_STATUS;
    }
    if (fields_has(&response->fields, FIELD_SET_COOKIE) &&
        (settings->refuse_set_cookie || !explicitly_fresh)) {
        return REASON_SET_COOKIE;
    }
    return REASON_NONE;
}

/* A response that could never be reused (while fresh, after validation, or stale by permission) is
 * not worth storing. */
static bool is_useful(const struct freshness *freshness)
{
    bool stale_allowed = !freshness->must_revalidate && !freshness->no_cache &&
                         (freshness->stale_while_revalidate > 0 || freshness->stale_if_error > 0);

    if (freshness->has_validator || stale_allowed) {
        return true;
    }
    return !freshness->no_cache && !freshness->checked &&
           freshness->lifetime > freshness->initial_age;
}

static enum reason response_obstacle(const struct http_head *request,
                                     const struct http_head *response,
                                     const struct freshness *freshness,
                                     const struct policy_settings *settings)
{
    struct cache_control control;
    enum reason reason = status_obstacle(response->status);

    if (reason != REASON_NONE) {
        return reason;
    }
    policy_control(response, settings, &control);
    reason = directive_obstacle(&control, response->status);
    if (reason == REASON_NONE && settings->way) {
        reason = settings->way->obstacle;
    }
    if (reason == REASON_NONE) {
        reason = field_obstacle(request, response, freshness, settings);
    }
    if (reason != REASON_NONE) {
        return reason;
    }
    if (!freshness_is_explicit(freshness) && !control.is_public &&
        !policy_status_is_heuristic(response->status, false)) {
        return REASON_STATUS;
    }
    return is_useful(freshness) ? REASON_STORED : REASON_NO_LIFETIME;
}

enum reason policy_may_store(const struct http_head *request, const struct http_head *response,
                             const struct freshness *freshness,
                             const struct policy_settings *settings)
{
    enum reason reason = request->method == METHOD_GET ? request_obstacle(request) : REASON_METHOD;

    return reason != REASON_NONE ? reason
                                 : response_obstacle(request, response, freshness, settings);
}

static bool names_itself(const struct uri *target, const struct http_fields *response,
                         struct arena *arena)
{
    struct uri location;

    return fields_count(response, FIELD_CONTENT_LOCATION) == 1 &&
           uri_resolve(target, fields_get(response, FIELD_CONTENT_LOCATION), arena, &location) ==
               0 &&
           uri_same_origin(target, &location) && span_eq(target->path, location.path);
}

enum reason policy_may_store_post(const struct http_head *request, const struct http_head *response,
                                  const struct freshness *freshness,
                                  const struct policy_settings *settings, const struct uri *target,
                                  struct arena *arena)
{
    enum reason reason = request->method == METHOD_POST ? request_obstacle(request) : REASON_METHOD;

    if (reason != REASON_NONE) {
        return reason;
    }
    if (response->status / 100 != 2 || !names_itself(target, &response->fields, arena)) {
        return REASON_METHOD;
    }
    return freshness_is_explicit(freshness)
               ? response_obstacle(request, response, freshness, settings)
               : REASON_NO_LIFETIME;
}

/* ---- what is kept ---- */

void policy_stored_fields(const struct http_head *response, struct http_fields *out)
{
    fields_append(out, &response->fields);
    hop_strip(out);
}

/* Does the field describe the stored bytes? Then a 304 may not change it (3.2). */
static bool describes_body(enum http_field_id id)
{
    return id == FIELD_CONTENT_LENGTH || id == FIELD_CONTENT_ENCODING || id == FIELD_CONTENT_RANGE;
}

/* Does the stored response have a weak entity-tag, because the origin has changed the bytes (their
 * content coding), and the 304 the strong tag of the original? That strong tag would be wrong for
 * the stored bytes. */
static bool is_only_weakly_same(const struct http_fields *stored, const struct http_fields *update)
{
    struct span ours = fields_get(stored, FIELD_ETAG);
    struct span theirs = fields_get(update, FIELD_ETAG);

    return etag_is_weak(ours) && !etag_is_weak(theirs) && etag_weak_match(ours, theirs);
}

static bool is_replaced(const struct http_field *field, const struct http_fields *update)
{
    if (describes_body(field->id)) {
        return false;
    }
    if (field->id == FIELD_AGE) {
        return true;
    }
    return field->id == FIELD_OTHER ? fields_find_name(update, field->name) != NULL
                                    : fields_has(update, field->id);
}

void policy_merge_304(const struct http_fields *stored, const struct http_fields *not_modified,
                      struct arena *arena, struct http_fields *out)
{
    struct http_fields update;

    fields_init(&update, arena, not_modified->count);
    fields_append(&update, not_modified);
    hop_strip(&update);
    if (is_only_weakly_same(stored, &update)) {
        fields_remove_id(&update, FIELD_ETAG);
    }
    fields_init(out, arena, stored->count + update.count);
    for (size_t i = 0; i < stored->count; i++) {
        if (!is_replaced(&stored->at[i], &update)) {
            fields_add(out, stored->at[i].name, stored->at[i].value);
        }
    }
    for (size_t i = 0; i < update.count; i++) {
        if (!describes_body(update.at[i].id)) {
            fields_add(out, update.at[i].name, update.at[i].value);
        }
    }
}

/* ---- invalidation ---- */

bool policy_invalidates(enum http_method method, int status)
{
    return method != METHOD_CONNECT && !http_method_is_safe(method) && status >= 200 &&
           status < 400;
}

size_t policy_also_invalidates(const struct uri *target, const struct http_fields *response,
                               struct arena *arena, struct uri out[POLICY_ALSO_MAX])
{
    static const enum http_field_id places[POLICY_ALSO_MAX] = {FIELD_LOCATION,
                                                               FIELD_CONTENT_LOCATION};
    size_t count = 0;

    for (size_t i = 0; i < POLICY_ALSO_MAX; i++) {
        struct span reference = fields_get(response, places[i]);
        if (reference.len && uri_resolve(target, reference, arena, &out[count]) == 0 &&
            uri_same_origin(target, &out[count])) {
            count++;
        }
    }
    return count;
}
