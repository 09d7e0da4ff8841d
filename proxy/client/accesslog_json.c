/* accesslog_json - writes an object on one line with the whole decision. Unknown values are left
 * out. */
#include "proxy/client/accesslog_columns.h"

#include "http/put.h"
#include "proxy/client/shown.h"

/* ---- members ---- */

/* `name` with its colon and, for strings, its quote: ",\"age\":". */
static char *put_integer(char *at, struct span name, int64_t value)
{
    at = put_span(at, name);
    if (value < 0) {
        *at++ = '-';
    }
    return put_number(at, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static char *put_string(char *at, struct span name, struct span word)
{
    if (word.len == 0) {
        return at;
    }
    at = put_span(put_span(at, name), word);
    *at++ = '"';
    return at;
}

static char *put_flag(char *at, struct span name, bool value)
{
    return put_span(put_span(at, name), value ? SPAN("true") : SPAN("false"));
}

static char *put_text(char *at, struct span name, struct span text)
{
    if (text.len == 0) {
        return at;
    }
    at = put_span(at, name);
    char *end = column_escape(at, shown_text(at, span_take(text, WORD_MAX_SHOWN)));
    *end++ = '"';
    return end;
}

/* ---- the object ---- */

static char *put_request(char *at, const struct accesslog_entry *entry)
{
    bool connect = entry->request && entry->request->method == METHOD_CONNECT;
    struct span type = entry->content_type;

    at = put_span(at, SPAN(",\"client\":\""));
    at = ip_put(at, entry->client);
    *at++ = '"';
    at = put_text(at, SPAN(",\"user\":\""), entry->user);
    at = put_span(at, SPAN(",\"method\":\""));
    at = column_escape(at, column_method(at, entry->request));
    at = put_span(at, SPAN("\",\"url\":\""));
    at = column_escape(at, shown_url(at, entry->uri, connect));
    at = put_span(at, SPAN("\",\"status\":"));
    at = put_number(at, entry->status > 0 ? (uint64_t)entry->status : 0);
    at = put_integer(at, SPAN(",\"bytes\":"), (int64_t)entry->bytes);
    at = put_text(at, SPAN(",\"mirror\":\""), entry->mirror);
    return put_text(at, SPAN(",\"content_type\":\""),
                    span_trim(span_take(type, span_find(type, ';'))));
}

static char *put_decision(char *at, const struct decision *decision)
{
    enum reason kept = decision->store_reason;

    at = put_string(at, SPAN(",\"outcome\":\""), outcome_word(decision->outcome));
    at = put_string(at, SPAN(",\"reason\":\""), reason_word(decision->reason));
    if (decision->rule) {
        at = put_integer(at, SPAN(",\"rule\":"), decision->rule);
    }
    at = put_string(at, SPAN(",\"store_reason\":\""),
                    kept == REASON_NONE ? SPAN_EMPTY : reason_word(kept));
    at = put_string(at, SPAN(",\"fwd\":\""), forward_word(decision->forward));
    if (decision->fwd_status > 0) {
        at = put_integer(at, SPAN(",\"fwd_status\":"), decision->fwd_status);
    }
    at = put_flag(at, SPAN(",\"stored\":"), decision->stored);
    at = put_flag(at, SPAN(",\"collapsed\":"), decision->collapsed);
    if (decision->age >= 0 && decision->lifetime >= 0) {
        at = put_integer(at, SPAN(",\"age\":"), decision->age);
        at = put_integer(at, SPAN(",\"lifetime\":"), decision->lifetime);
        at = put_integer(at, SPAN(",\"ttl\":"), decision->lifetime - decision->age);
    }
    at = put_string(at, SPAN(",\"served_from\":\""),
                    decision->served ? served_word(decision->served) : SPAN_EMPTY);
    if (decision->disk_wait_us) {
        at = put_integer(at, SPAN(",\"disk_wait_us\":"), (int64_t)decision->disk_wait_us);
    }
    return put_string(at, SPAN(",\"end\":\""), ending_word(decision->ending));
}

char *accesslog_json(char *at, const struct accesslog_entry *entry)
{
    at = column_time(put_span(at, SPAN("{\"time\":\"")), entry->when_ms);
    at = put_integer(at, SPAN("\",\"elapsed_us\":"), (int64_t)entry->elapsed_us);
    at = put_request(at, entry);
    if (entry->peer) {
        at = ip_put(put_span(at, SPAN(",\"origin\":\"")), entry->peer);
        *at++ = '"';
    }
    at = put_decision(at, entry->decision);
    at = put_text(at, SPAN(",\"incident\":\""), entry->incident);
    *at++ = '}';
    return at;
}
