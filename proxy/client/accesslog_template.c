/* accesslog_template - lines in the administrator's format: pieces of text and fields. Unknown
 * values are "-" or, in JSON, left out. */
#include "proxy/client/accesslog_columns.h"

#include "http/put.h"
#include "proxy/client/shown.h"

enum { HEADER_SHOWN = 256 };

/* Writes a field; `piece` is for fields with a parameter. */
typedef char *(*writer)(char *at, const struct accesslog_entry *entry,
                        const struct log_piece *piece);

static char *nothing(char *at)
{
    *at++ = '-';
    return at;
}

static char *put_integer(char *at, int64_t value)
{
    if (value < 0) {
        *at++ = '-';
    }
    return put_number(at, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static char *put_word(char *at, struct span word)
{
    return word.len ? put_span(at, word) : nothing(at);
}

static bool is_understood(const struct accesslog_entry *entry)
{
    return entry->uri && entry->uri->host.len;
}

static bool is_connect(const struct accesslog_entry *entry)
{
    return entry->request && entry->request->method == METHOD_CONNECT;
}

#define FIELD(name)                                                                                \
    static char *name(char *at, const struct accesslog_entry *entry, const struct log_piece *piece)

FIELD(put_time)
{
    return column_time(at, entry->when_ms);
}

FIELD(put_epoch)
{
    uint64_t when = entry->when_ms > 0 ? (uint64_t)entry->when_ms : 0;

    at = put_number(at, when / 1000);
    *at++ = '.';
    return column_padded(at, when % 1000, 3, '0');
}

FIELD(put_elapsed_ms)
{
    return put_number(at, entry->elapsed_us / 1000);
}

FIELD(put_elapsed_us)
{
    return put_number(at, entry->elapsed_us);
}

FIELD(put_client)
{
    return ip_put(at, entry->client);
}

FIELD(put_user)
{
    return column_word(at, entry->user);
}

FIELD(put_method)
{
    return column_method(at, entry->request);
}

FIELD(put_url)
{
    return shown_url(at, entry->uri, is_connect(entry));
}

FIELD(put_host)
{
    return is_understood(entry) ? shown_host(at, entry->uri) : nothing(at);
}

FIELD(put_path)
{
    return is_understood(entry) && !is_connect(entry) ? shown_path(at, entry->uri) : nothing(at);
}

FIELD(put_version)
{
    if (entry->request == NULL) {
        return nothing(at);
    }
    return put_span(at, entry->request->version == HTTP_1_0 ? SPAN("HTTP/1.0")
                        : entry->request->version == HTTP_2 ? SPAN("HTTP/2")
                                                            : SPAN("HTTP/1.1"));
}

FIELD(put_status)
{
    return put_integer(at, entry->status > 0 ? entry->status : 0);
}

FIELD(put_bytes)
{
    return put_number(at, entry->bytes);
}

FIELD(put_content_type)
{
    return column_type(at, entry->content_type);
}

FIELD(put_outcome)
{
    return put_word(at, outcome_word(entry->decision->outcome));
}

FIELD(put_result)
{
    at = put_span(at, outcome_squid(entry->decision->outcome));
    return put_span(at, ending_squid(entry->decision->ending));
}

FIELD(put_reason)
{
    return put_word(at, reason_word(entry->decision->reason));
}

FIELD(put_store_reason)
{
    enum reason kept = entry->decision->store_reason;
    return kept == REASON_NONE ? nothing(at) : put_word(at, reason_word(kept));
}

FIELD(put_detail)
{
    return column_reason(at, entry);
}

FIELD(put_fwd)
{
    return put_word(at, forward_word(entry->decision->forward));
}

FIELD(put_fwd_status)
{
    int status = entry->decision->fwd_status;
    return status > 0 ? put_integer(at, status) : nothing(at);
}

FIELD(put_age)
{
    int64_t age = entry->decision->age;
    return age >= 0 ? put_integer(at, age) : nothing(at);
}

FIELD(put_lifetime)
{
    int64_t lifetime = entry->decision->lifetime;
    return lifetime >= 0 ? put_integer(at, lifetime) : nothing(at);
}

FIELD(put_served_from)
{
    enum served served = entry->decision->served;
    return served ? put_word(at, served_word(served)) : nothing(at);
}

FIELD(put_disk_wait)
{
    return put_number(at, entry->decision->disk_wait_us);
}

FIELD(put_end)
{
    return put_word(at, ending_word(entry->decision->ending));
}

FIELD(put_origin)
{
    return entry->peer ? ip_put(at, entry->peer) : nothing(at);
}

FIELD(put_hierarchy)
{
    return column_hierarchy(at, entry);
}

/* Text from a client; between quotes it may have spaces. */
static char *put_said(char *at, struct span text, const struct log_piece *piece)
{
    text = span_take(span_trim(text), HEADER_SHOWN);
    if (text.len == 0) {
        return nothing(at);
    }
    return piece->quoted ? column_quotable(at, text) : shown_text(at, text);
}

static struct span field_of(const struct accesslog_entry *entry, enum http_field_id id)
{
    return entry->request ? fields_get(&entry->request->fields, id) : SPAN_EMPTY;
}

FIELD(put_referer)
{
    return put_said(at, column_referer(field_of(entry, FIELD_REFERER)), piece);
}

FIELD(put_user_agent)
{
    return put_said(at, field_of(entry, FIELD_USER_AGENT), piece);
}

FIELD(put_mirror)
{
    return column_word(at, entry->mirror);
}

FIELD(put_incident)
{
    return column_word(at, entry->incident);
}

/* Any field of the request, except credentials, and what column_referer() hides. */
FIELD(put_request_field)
{
    const struct http_fields *fields = entry->request ? &entry->request->fields : NULL;

    for (size_t i = 0; fields && i < fields->count; i++) {
        const struct http_field *field = &fields->at[i];
        if (span_ieq(field->name, piece->text)) {
            return shown_is_secret(piece->text) ? put_span(at, SPAN("\xe2\x80\xa6"))
                   : field->id == FIELD_REFERER ? put_referer(at, entry, piece)
                                                : put_said(at, field->value, piece);
        }
    }
    return nothing(at);
}

static const writer writers[] = {
    [LOG_TIME] = put_time,
    [LOG_EPOCH] = put_epoch,
    [LOG_ELAPSED_MS] = put_elapsed_ms,
    [LOG_ELAPSED_US] = put_elapsed_us,
    [LOG_CLIENT] = put_client,
    [LOG_USER] = put_user,
    [LOG_METHOD] = put_method,
    [LOG_URL] = put_url,
    [LOG_HOST] = put_host,
    [LOG_PATH] = put_path,
    [LOG_VERSION] = put_version,
    [LOG_STATUS] = put_status,
    [LOG_BYTES] = put_bytes,
    [LOG_CONTENT_TYPE] = put_content_type,
    [LOG_OUTCOME] = put_outcome,
    [LOG_RESULT] = put_result,
    [LOG_REASON] = put_reason,
    [LOG_STORE_REASON] = put_store_reason,
    [LOG_DETAIL] = put_detail,
    [LOG_FWD] = put_fwd,
    [LOG_FWD_STATUS] = put_fwd_status,
    [LOG_AGE] = put_age,
    [LOG_LIFETIME] = put_lifetime,
    [LOG_SERVED_FROM] = put_served_from,
    [LOG_DISK_WAIT_US] = put_disk_wait,
    [LOG_END] = put_end,
    [LOG_ORIGIN] = put_origin,
    [LOG_HIERARCHY] = put_hierarchy,
    [LOG_REFERER] = put_referer,
    [LOG_USER_AGENT] = put_user_agent,
    [LOG_INCIDENT] = put_incident,
    [LOG_MIRROR] = put_mirror,
    [LOG_REQUEST] = put_request_field,
};
_Static_assert(sizeof(writers) / sizeof(writers[0]) == LOG_FIELD_COUNT,
               "each field can be written");

char *accesslog_template(char *at, const struct log_style *style,
                         const struct accesslog_entry *entry)
{
    for (size_t i = 0; i < style->piece_count; i++) {
        const struct log_piece *piece = &style->pieces[i];
        at = piece->field == LOG_TEXT ? put_span(at, piece->text)
                                      : writers[piece->field](at, entry, piece);
    }
    return at;
}

static bool is_number(enum log_field field)
{
    static const bool numbers[] = {
#define X(id, word, max, number) [LOG_##id] = (number),
        LOG_FIELDS(X)
#undef X
    };
    return numbers[field];
}

/* `"name":value` with a comma before it unless it is the first; nothing when it is not known. */
static char *put_member(char *at, bool first, const struct log_piece *piece,
                        const struct accesslog_entry *entry)
{
    bool number = is_number(piece->field);
    struct log_piece inside = *piece;
    char *start = at;

    inside.quoted = true;
    at = put_span(at, first ? SPAN("\"") : SPAN(",\""));
    at = put_span(at, piece->field == LOG_REQUEST ? SPAN("request.") : SPAN_EMPTY);
    at = put_span(at, piece->field == LOG_REQUEST ? piece->text
                                                  : span_str(log_field_words[piece->field]));
    at = put_span(at, number ? SPAN("\":") : SPAN("\":\""));
    char *value = at;
    at = writers[piece->field](at, entry, &inside);
    if (at == value + 1 && *value == '-') {
        return start;
    }
    if (!number) {
        at = column_escape(value, at);
        *at++ = '"';
    }
    return at;
}

char *accesslog_members(char *at, const struct log_style *style,
                        const struct accesslog_entry *entry)
{
    char *start = at + 1;

    *at++ = '{';
    for (size_t i = 0; i < style->piece_count; i++) {
        at = put_member(at, at == start, &style->pieces[i], entry);
    }
    *at++ = '}';
    return at;
}
