/* fetch_renew - responses that update stored ones: a 304, or a 200 to HEAD. */
#include "proxy/origin/fetch_parts.h"

#include "cache/key.h"
#include "http/validator.h"

/* Is the reason for not storing in the request, and not in the response? */
static bool is_about_request(enum reason why)
{
    return why == REASON_AUTHORIZATION || why == REASON_REQUEST_NO_STORE || why == REASON_METHOD;
}

/* A 304 after which the stored response may not be kept: only the requester gets it. */
static void confirmed_for_one(struct fetch *fetch, struct object *object, enum reason why)
{
    /* a changed Vary means only the wrong key, and a complete response would have a smaller head */
    bool is_passing = why == REASON_VARY_MISS || why == REASON_TOO_LARGE;
    int64_t mark = is_passing ? 0 : loop_wall(fetch->worker->loop) + PASS_MARK_SECONDS;

    flight_publish_solo(fetch->flight, object);
    if (is_about_request(why)) {
        cache_abandon(fetch->worker->cache, fetch->flight, 0);
    } else {
        cache_discard(fetch->worker->cache, fetch->flight, mark);
    }
}

/* Is the merged head too large? It has the fields of both, and without a limit each 304 could add
 * some. */
static bool is_too_large(const struct fetch *fetch, const struct http_fields *merged)
{
    const size_t line = 4; /* colon, space, CR LF */
    size_t size = 0;

    for (size_t i = 0; i < merged->count; i++) {
        size += merged->at[i].name.len + merged->at[i].value.len + line;
    }
    return merged->count > (size_t)fetch->settings->limits.fields ||
           size > fetch->settings->limits.head;
}

/* A response known in parts depends on the strong validator under which its pieces are combined: it
 * is the exception of RFC 9111 3.2. So it keeps its own ETag, or its lack of one, where the new one
 * is no strong validator: the weak form of the same, or malformed. */
static void keep_validator(const struct object *stored, struct http_fields *merged, int64_t now)
{
    struct span tag = fields_get(&stored->fields, FIELD_ETAG);

    if (object_parts(stored) == NULL || validator_strong(&stored->fields, now) == FIELD_OTHER ||
        validator_strong(merged, now) != FIELD_OTHER) {
        return;
    }
    fields_remove_id(merged, FIELD_ETAG);
    if (tag.len) {
        fields_add_id(merged, FIELD_ETAG, tag);
    }
}

enum reason fetch_merge(struct fetch *fetch, const struct object *stored,
                        const struct http_head *response, struct http_head *merged,
                        struct freshness *freshness)
{
    struct http_head request = fetch->client;

    request.method = METHOD_GET; /* the method whose response is stored */
    *merged = *response;
    merged->status = stored->status;
    merged->reason = stored->reason;
    policy_merge_304(&stored->fields, &response->fields, &fetch->arena, &merged->fields);
    keep_validator(stored, &merged->fields, fetch->times.response);
    policy_freshness(merged, fetch->times, &fetch->rules, freshness);
    return is_too_large(fetch, &merged->fields)
               ? REASON_TOO_LARGE
               : policy_may_store(&request, merged, freshness, &fetch->rules);
}

/* The stored response with the fields of the new one. *why: may it stay stored? */
static struct object *renewed(struct fetch *fetch, struct object *stored,
                              const struct http_head *response, enum reason *why)
{
    struct http_head merged;
    struct freshness freshness;

    *why = fetch_merge(fetch, stored, response, &merged, &freshness);
    if (*why == REASON_STORED && !key_same_vary(&stored->fields, &merged.fields, &fetch->arena)) {
        /* Vary names other fields than the key was made of (RFC 9111 4.1) */
        *why = REASON_VARY_MISS;
    }
    struct object *object = object_updated(stored, &merged.fields, &freshness);
    object->stored_reason = *why;
    return object;
}

static void keep_renewed(struct fetch *fetch, struct object *object, int status)
{
    fetch_note(fetch, status, REASON_VALIDATED);
    fetch->waiting = false;
    flight_publish(fetch->flight, object);
    cache_update(fetch->worker->cache, fetch->flight, object);
}

bool fetch_confirmed(struct fetch *fetch, const struct http_head *response)
{
    struct object *stale = flight_stale(fetch->flight);
    enum reason why;

    if (!policy_304_selects(&stale->fields, &response->fields)) {
        return false;
    }
    fetch_set_state(fetch, FETCH_BODY);
    struct object *object = renewed(fetch, stale, response, &why);
    if (why == REASON_STORED) {
        keep_renewed(fetch, object, response->status);
    } else {
        fetch_note(fetch, response->status, why);
        fetch->waiting = false;
        confirmed_for_one(fetch, object, why);
    }
    object_unref(&object);
    return true;
}

/* The stored response differs from the origin's: it must be validated before its next use. */
static void distrust(struct fetch *fetch, struct object *stored)
{
    struct freshness freshness = stored->freshness;

    freshness.no_cache = true;
    struct object *object = object_updated(stored, &stored->fields, &freshness);
    cache_update(fetch->worker->cache, fetch->flight, object);
    object_unref(&object);
}

bool fetch_head_renews(struct fetch *fetch, const struct http_head *response)
{
    struct object *stale = flight_stale(fetch->flight);
    enum reason why;

    if (response->status != 200 || stale->status != 200 || stale->body_len < 0) {
        return false;
    }
    switch (policy_judge_head(&stale->fields, (uint64_t)stale->body_len, &response->fields)) {
    case HEAD_CONFIRMS:
        break;
    case HEAD_DIFFERS:
        distrust(fetch, stale);
        return false;
    case HEAD_PROVES_NOTHING:
        return false;
    }
    struct object *object = renewed(fetch, stale, response, &why);
    if (why == REASON_STORED) {
        keep_renewed(fetch, object, response->status);
    } else if (why == REASON_VARY_MISS) {
        distrust(fetch, stale);
    }
    object_unref(&object);
    return why == REASON_STORED;
}
