#include "http/validator.h"

#include "http/chars.h"
#include "http/date.h"

enum { STRONG_AFTER = 60 };

/* etagc: visible ASCII except the quote, and obs-text (RFC 9110 8.8.3). */
static bool is_etag_char(char c)
{
    return c != '"' && c != ' ' && c != '\t' && char_is(c, CHAR_VALUE);
}

bool etag_is_weak(struct span text)
{
    return span_starts(text, SPAN("W/"));
}

static struct span opaque(struct span etag)
{
    return etag_is_weak(etag) ? span_skip(etag, 2) : etag;
}

/* Length of the entity-tag at the start of `text`; 0 if there is none. */
static size_t etag_len(struct span text)
{
    size_t i = text.len - opaque(text).len;

    if (i == text.len || text.at[i] != '"') {
        return 0;
    }
    do {
        i++;
    } while (i < text.len && is_etag_char(text.at[i]));
    return i < text.len && text.at[i] == '"' ? i + 1 : 0;
}

bool etag_is_valid(struct span text)
{
    return text.len > 0 && etag_len(text) == text.len;
}

/* Some origins omit the quotes, and clients repeat what they got. Equal text then still tells that
 * nothing has changed, but such a tag is never used to combine pieces. */
bool etag_weak_match(struct span a, struct span b)
{
    return a.len > 0 && b.len > 0 && span_eq(opaque(a), opaque(b));
}

bool etag_strong_match(struct span a, struct span b)
{
    return etag_is_valid(a) && !etag_is_weak(a) && span_eq(a, b);
}

/* Takes the next entity-tag from a list. Entity-tags have no escapes and may contain commas, so
 * this is not an ordinary list. */
static bool next_etag(struct span *list, struct span *etag)
{
    struct span rest = *list;

    while (rest.len && (rest.at[0] == ',' || rest.at[0] == ' ' || rest.at[0] == '\t')) {
        rest = span_skip(rest, 1);
    }
    size_t len = etag_len(rest);
    if (len == 0) {
        len = span_find(rest, ',');
    }
    *etag = span_trim(span_take(rest, len));
    *list = span_skip(rest, len);
    return len > 0;
}

static bool line_matches(struct span list, struct span etag, bool weak)
{
    struct span member;

    if (span_eq(list, SPAN("*"))) {
        return true; /* "*" matches any representation */
    }
    while (next_etag(&list, &member)) {
        if (weak ? etag_weak_match(member, etag) : etag_strong_match(member, etag)) {
            return true;
        }
    }
    return false;
}

bool etag_list_matches(const struct http_fields *fields, enum http_field_id id, struct span etag,
                       bool weak)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id == id && line_matches(fields->at[i].value, etag, weak)) {
            return true;
        }
    }
    return false;
}

/* A date field; -1: it is absent, malformed or repeated. */
static int64_t get_date(const struct http_fields *fields, enum http_field_id id, int64_t now)
{
    return fields_count(fields, id) == 1 ? date_parse(fields_get(fields, id), now) : -1;
}

static enum precondition none_match(const struct http_fields *request,
                                    const struct http_fields *stored)
{
    struct span etag = fields_get(stored, FIELD_ETAG);

    return etag_list_matches(request, FIELD_IF_NONE_MATCH, etag, true) ? PRECONDITION_NOT_MODIFIED
                                                                       : PRECONDITION_OK;
}

/* If-Modified-Since. Without Last-Modified the Date of the stored response is compared (RFC 9111
 * 4.3.2). */
static enum precondition modified_since(const struct http_fields *request,
                                        const struct http_fields *stored, int64_t now)
{
    int64_t since = get_date(request, FIELD_IF_MODIFIED_SINCE, now);
    bool has_modified = fields_has(stored, FIELD_LAST_MODIFIED);
    int64_t modified = get_date(stored, has_modified ? FIELD_LAST_MODIFIED : FIELD_DATE, now);

    if (since < 0) {
        return PRECONDITION_NONE; /* ignored without a valid date, RFC 9110 13.1.3 */
    }
    return modified >= 0 && modified <= since ? PRECONDITION_NOT_MODIFIED : PRECONDITION_OK;
}

static bool match_fails(const struct http_fields *request, const struct http_fields *stored)
{
    return !etag_list_matches(request, FIELD_IF_MATCH, fields_get(stored, FIELD_ETAG), false);
}

static bool unmodified_since_fails(const struct http_fields *request,
                                   const struct http_fields *stored, int64_t now)
{
    int64_t since = get_date(request, FIELD_IF_UNMODIFIED_SINCE, now);
    int64_t modified = get_date(stored, FIELD_LAST_MODIFIED, now);

    return since >= 0 && modified > since;
}

enum precondition validator_evaluate(const struct http_fields *request,
                                     const struct http_fields *stored, int64_t now)
{
    bool asked = false;

    if (fields_has(request, FIELD_IF_MATCH)) {
        if (match_fails(request, stored)) {
            return PRECONDITION_FAILED;
        }
        asked = true;
    } else if (fields_has(request, FIELD_IF_UNMODIFIED_SINCE)) {
        if (unmodified_since_fails(request, stored, now)) {
            return PRECONDITION_FAILED;
        }
        asked = true;
    }
    enum precondition result = PRECONDITION_NONE;
    if (fields_has(request, FIELD_IF_NONE_MATCH)) {
        result = none_match(request, stored);
    } else if (fields_has(request, FIELD_IF_MODIFIED_SINCE)) {
        result = modified_since(request, stored, now);
    }
    return result == PRECONDITION_NONE && asked ? PRECONDITION_OK : result;
}

bool validator_if_range_holds(const struct http_fields *request, const struct http_fields *stored,
                              int64_t now)
{
    struct span condition = fields_get(request, FIELD_IF_RANGE);

    if (!fields_has(request, FIELD_IF_RANGE)) {
        return true;
    }
    if (fields_count(request, FIELD_IF_RANGE) > 1) {
        return false;
    }
    if (etag_is_valid(condition)) {
        return etag_strong_match(condition, fields_get(stored, FIELD_ETAG));
    }
    int64_t date = date_parse(condition, now);
    return date >= 0 && date == get_date(stored, FIELD_LAST_MODIFIED, now) &&
           validator_last_modified_is_strong(stored, now);
}

bool validator_last_modified_is_strong(const struct http_fields *stored, int64_t now)
{
    int64_t modified = get_date(stored, FIELD_LAST_MODIFIED, now);
    int64_t date = get_date(stored, FIELD_DATE, now);

    return modified >= 0 && date >= 0 && date - modified >= STRONG_AFTER;
}

enum http_field_id validator_strong(const struct http_fields *stored, int64_t now)
{
    if (fields_has(stored, FIELD_ETAG)) {
        struct span etag = fields_get(stored, FIELD_ETAG);
        return etag_is_valid(etag) && !etag_is_weak(etag) ? FIELD_ETAG : FIELD_OTHER;
    }
    return validator_last_modified_is_strong(stored, now) ? FIELD_LAST_MODIFIED : FIELD_OTHER;
}

bool validator_joins(const struct http_fields *stored, const struct http_fields *part, int64_t now)
{
    enum http_field_id id = validator_strong(stored, now);

    return id != FIELD_OTHER && fields_count(stored, id) == 1 && fields_count(part, id) == 1 &&
           span_eq(fields_get(stored, id), fields_get(part, id));
}
