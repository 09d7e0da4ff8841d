/* policy_validate - validating stored responses at the origin, and what its answer confirms (RFC
 * 9111 4.1, 4.3). */
#include "cache/policy.h"

#include "base/check.h"
#include "http/date.h"
#include "http/put.h"
#include "http/validator.h"

#include <string.h>

/* ---- validators ---- */

/* The valid entity-tag; of several lines the first counts. */
static struct span etag_of(const struct http_fields *fields)
{
    struct span etag = fields_get(fields, FIELD_ETAG);

    return etag_is_valid(etag) ? etag : SPAN_EMPTY;
}

/* Do both have this field, with the same value? */
static bool same_value(const struct http_fields *a, const struct http_fields *b,
                       enum http_field_id id)
{
    return fields_has(a, id) && fields_has(b, id) && span_eq(fields_get(a, id), fields_get(b, id));
}

/* ---- the request ---- */

static void drop_conditions(struct http_fields *request)
{
    static const enum http_field_id clients_own[] = {
        FIELD_IF_MATCH, FIELD_IF_NONE_MATCH, FIELD_IF_MODIFIED_SINCE, FIELD_IF_UNMODIFIED_SINCE,
        FIELD_IF_RANGE, FIELD_RANGE,
    };

    for (size_t i = 0; i < ARRAY_LEN(clients_own); i++) {
        fields_remove_id(request, clients_own[i]);
    }
}

static void add_modified_since(struct http_fields *request, const struct http_fields *stored)
{
    struct span last_modified = fields_get(stored, FIELD_LAST_MODIFIED);

    if (last_modified.len) {
        fields_add_id(request, FIELD_IF_MODIFIED_SINCE, last_modified);
    }
}

void policy_make_conditional(struct http_fields *request, const struct http_fields *stored)
{
    struct span etag = etag_of(stored);

    drop_conditions(request);
    if (etag.len) {
        fields_add_id(request, FIELD_IF_NONE_MATCH, etag);
    }
    add_modified_since(request, stored);
}

/* The entity-tag to offer in If-None-Match. Two variants may have the same weak entity-tag, so a
 * weak one is offered only where it cannot mean the other (RFC 9110 8.8.1). */
static struct span offered_tag(const struct policy_stored *stored)
{
    struct span etag = etag_of(stored->fields);

    return stored->selected || !etag_is_weak(etag) ? etag : SPAN_EMPTY;
}

/* Collects the entity-tags of `stored` to offer, each once, in order. Returns how many. */
static size_t collect_tags(const struct policy_stored *stored, size_t count,
                           struct span tags[POLICY_STORED_MAX])
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        struct span tag = offered_tag(&stored[i]);
        size_t same = 0;
        while (same < found && !span_eq(tags[same], tag)) {
            same++;
        }
        if (tag.len && same == found) {
            tags[found++] = tag;
        }
    }
    return found;
}

static struct span joined_tags(const struct span *tags, size_t count, struct arena *arena)
{
    size_t size = 0;
    char *start, *at;

    for (size_t i = 0; i < count; i++) {
        size += tags[i].len + 2;
    }
    start = arena_alloc(arena, size);
    at = start;
    for (size_t i = 0; i < count; i++) {
        at = put_span(at, i > 0 ? SPAN(", ") : SPAN_EMPTY);
        at = put_span(at, tags[i]);
    }
    return span_from_to(start, at);
}

void policy_make_conditional_any(struct http_fields *request, const struct policy_stored *stored,
                                 size_t count, struct arena *arena)
{
    struct span tags[POLICY_STORED_MAX];
    int chosen = policy_choose(stored, count);
    size_t found = collect_tags(stored, count, tags);

    drop_conditions(request);
    if (found) {
        fields_add_id(request, FIELD_IF_NONE_MATCH, joined_tags(tags, found, arena));
    }
    if (chosen >= 0) {
        add_modified_since(request, stored[chosen].fields);
    }
}

/* ---- which variant ---- */

/* The time that decides which response is the most recent (4): Date, or the time of its arrival
 * without one. */
static int64_t dated(const struct policy_stored *stored)
{
    int64_t received = stored->freshness->response_time;
    int64_t date = date_parse(fields_get(stored->fields, FIELD_DATE), received);

    return date >= 0 ? date : received;
}

static bool is_more_recent(const struct policy_stored *a, const struct policy_stored *b)
{
    int64_t date_a = dated(a);
    int64_t date_b = dated(b);

    return date_a != date_b ? date_a > date_b
                            : a->freshness->response_time > b->freshness->response_time;
}

/* The index of the most recent response among those whose bit is set, or -1. */
static int most_recent(const struct policy_stored *stored, size_t count, unsigned among)
{
    int best = -1;

    for (size_t i = 0; i < count; i++) {
        if ((among >> i & 1) && (best < 0 || is_more_recent(&stored[i], &stored[best]))) {
            best = (int)i;
        }
    }
    return best;
}

static unsigned selected_ones(const struct policy_stored *stored, size_t count)
{
    unsigned set = 0;

    CHECK(count <= POLICY_STORED_MAX);
    for (size_t i = 0; i < count; i++) {
        set |= stored[i].selected ? 1U << i : 0;
    }
    return set;
}

int policy_choose(const struct policy_stored *stored, size_t count)
{
    return most_recent(stored, count, selected_ones(stored, count));
}

/* ---- the 304 ---- */

/* Last-Modified is a strong validator if Date shows that the resource did not change in the same
 * second (RFC 9110 8.8.2.2). */
static bool strong_date_matches(const struct http_fields *stored,
                                const struct http_fields *not_modified, int64_t now)
{
    return validator_last_modified_is_strong(stored, now) &&
           same_value(stored, not_modified, FIELD_LAST_MODIFIED);
}

/* Does the 304 have a strong validator of the stored response (4.3.4, first rule)? Two strong
 * entity-tags decide. If one of them has become weak by compression, as with nginx, Last-Modified
 * decides. */
static bool strong_matches(const struct http_fields *stored, const struct http_fields *not_modified,
                           int64_t now)
{
    struct span ours = etag_of(stored);
    struct span theirs = etag_of(not_modified);

    if (etag_strong_match(theirs, ours)) {
        return true;
    }
    return (ours.len == 0 || etag_weak_match(theirs, ours)) &&
           strong_date_matches(stored, not_modified, now);
}

static bool weak_matches(const struct http_fields *stored, const struct http_fields *not_modified)
{
    struct span ours = etag_of(stored);
    struct span theirs = etag_of(not_modified);

    return theirs.len && ours.len ? etag_weak_match(theirs, ours)
                                  : same_value(stored, not_modified, FIELD_LAST_MODIFIED);
}

static bool has_strong_tag(const struct http_fields *not_modified)
{
    struct span etag = etag_of(not_modified);

    return etag.len > 0 && !etag_is_weak(etag);
}

static bool has_validator(const struct http_fields *fields)
{
    return etag_of(fields).len > 0 || fields_has(fields, FIELD_LAST_MODIFIED);
}

/* A 304 without a validator can only mean the response that the condition was made of, if it was a
 * single one (`alone`). */
static bool confirms_selected(const struct policy_stored *stored, bool alone,
                              const struct http_fields *not_modified)
{
    if (!has_validator(not_modified)) {
        return alone;
    }
    return has_strong_tag(not_modified)
               ? strong_matches(stored->fields, not_modified, stored->freshness->response_time)
               : weak_matches(stored->fields, not_modified);
}

/* Content codings of one representation may share a weak entity-tag and a date (RFC 9110 8.8.1,
 * 8.8.3.3). So for a variant that Vary does not select only a strong entity-tag confirms it. */
static bool confirms_other(const struct policy_stored *stored,
                           const struct http_fields *not_modified)
{
    return etag_strong_match(etag_of(not_modified), etag_of(stored->fields));
}

static unsigned confirmed_ones(const struct policy_stored *stored, size_t count,
                               const struct http_fields *not_modified)
{
    unsigned set = 0;

    for (size_t i = 0; i < count; i++) {
        bool meant = stored[i].selected ? confirms_selected(&stored[i], count == 1, not_modified)
                                        : confirms_other(&stored[i], not_modified);
        set |= meant ? 1U << i : 0;
    }
    return set;
}

struct policy_confirmed policy_304_confirms(const struct policy_stored *stored, size_t count,
                                            const struct http_fields *not_modified)
{
    unsigned confirmed = confirmed_ones(stored, count, not_modified);
    unsigned update = confirmed & selected_ones(stored, count);
    int use = most_recent(stored, count, update ? update : confirmed);

    if (update && !has_strong_tag(not_modified)) {
        update = 1U << use;
    }
    return (struct policy_confirmed){.use = use, .update = update};
}

bool policy_304_selects(const struct http_fields *stored, const struct http_fields *not_modified)
{
    const struct freshness unknown = {0};
    const struct policy_stored one = {.fields = stored, .freshness = &unknown, .selected = true};

    return policy_304_confirms(&one, 1, not_modified).use == 0;
}

/* ---- changes by a 304 ---- */

static bool same_fields_but_date(const struct http_fields *a, const struct http_fields *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct http_field *one = &a->at[i], *other = &b->at[i];
        if (!span_eq(one->name, other->name) ||
            (one->id != FIELD_DATE && !span_eq(one->value, other->value))) {
            return false;
        }
    }
    return true;
}

bool policy_only_confirms(const struct policy_stored *stored, const struct policy_stored *renewed)
{
    const struct freshness *was = stored->freshness;
    struct freshness is = *renewed->freshness;

    if ((was->lifetime > 0 && !was->no_cache) ||
        is.response_time - is.initial_age < was->response_time - was->initial_age) {
        return false;
    }
    is.response_time = was->response_time;
    is.initial_age = was->initial_age;
    return memcmp(&is, was, sizeof(is)) == 0 &&
           same_fields_but_date(stored->fields, renewed->fields);
}

/* ---- HEAD ---- */

static bool agrees(const struct http_fields *stored, const struct http_fields *head,
                   enum http_field_id id)
{
    return !fields_has(head, id) || same_value(stored, head, id);
}

static bool has_other_length(const struct http_field *length, uint64_t body_length)
{
    uint64_t announced;

    return length &&
           (!span_to_u64(length->value, INT64_MAX, &announced) || announced != body_length);
}

enum policy_head policy_judge_head(const struct http_fields *stored, uint64_t body_length,
                                   const struct http_fields *head)
{
    const struct http_field *length = fields_find(head, FIELD_CONTENT_LENGTH);
    bool names = has_validator(head);

    if (has_other_length(length, body_length) || !agrees(stored, head, FIELD_ETAG) ||
        !agrees(stored, head, FIELD_LAST_MODIFIED) || (!names && has_validator(stored))) {
        return HEAD_DIFFERS;
    }
    return names || length ? HEAD_CONFIRMS : HEAD_PROVES_NOTHING;
}
