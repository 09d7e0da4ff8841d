#include "proxy/client/accesslog_columns.h"

#include "http/put.h"
#include "proxy/client/shown.h"

char *column_word(char *at, struct span word)
{
    return word.len ? shown_text(at, span_take(word, WORD_MAX_SHOWN)) : put_span(at, SPAN("-"));
}

char *column_padded(char *at, uint64_t number, size_t width, char pad)
{
    char digits[PUT_NUMBER_MAX];
    size_t len = (size_t)(put_number(digits, number) - digits);

    for (size_t i = len; i < width; i++) {
        *at++ = pad;
    }
    return put_span(at, span_of(digits, len));
}

char *column_ip(char *at, const struct ip *ip)
{
    char text[IP_TEXT_MAX];

    if (!ip_is_v4(ip)) {
        return put_span(at, span_str(ip_text(ip, text)));
    }
    for (size_t i = 12; i < 16; i++) {
        at = put_number(at, ip->at[i]);
        *at++ = '.';
    }
    return at - 1;
}

char *column_method(char *at, const struct http_head *request)
{
    if (request == NULL) {
        return put_span(at, SPAN("NONE"));
    }
    if (request->method_text.len == 0 && request->method != METHOD_OTHER) {
        return put_span(at, http_method_text(request->method));
    }
    return column_word(at, request->method_text);
}

char *column_hierarchy(char *at, const struct accesslog_entry *entry)
{
    const struct decision *decision = entry->decision;

    if (entry->peer) {
        return column_ip(put_span(at, SPAN("HIER_DIRECT/")), entry->peer);
    }
    bool asked =
        (decision->fwd_status > 0 && !decision->collapsed) || decision->outcome == OUTCOME_TUNNEL;
    if (asked && entry->uri && entry->uri->host.len) {
        return shown_host(put_span(at, SPAN("HIER_DIRECT/")), entry->uri);
    }
    return put_span(at, SPAN("HIER_NONE/-"));
}

char *column_type(char *at, struct span type)
{
    return column_word(at, span_trim(span_take(type, span_find(type, ';'))));
}

char *column_reason(char *at, const struct accesslog_entry *entry)
{
    enum reason kept = entry->decision->store_reason;

    at = put_span(at, reason_word(entry->decision->reason));
    if (entry->decision->rule) {
        *at++ = ':';
        at = put_number(at, entry->decision->rule);
    }
    if (kept != REASON_NONE && kept != REASON_STORED && kept != entry->decision->reason) {
        *at++ = ',';
        at = put_span(at, reason_word(kept));
    }
    if (entry->decision->disk_wait_us) {
        at = put_number(put_span(at, SPAN("@cold:")), entry->decision->disk_wait_us);
        at = put_span(at, SPAN("us"));
    }
    if (entry->incident.len) {
        *at++ = '#';
        at = column_word(at, entry->incident);
    }
    return at;
}
