#include "proxy/client/accesslog_columns.h"

#include "http/date.h"
#include "http/put.h"
#include "proxy/client/shown.h"

char *column_word(char *at, struct span word)
{
    return word.len ? shown_text(at, span_take(word, WORD_MAX_SHOWN)) : put_span(at, SPAN("-"));
}

char *column_padded(char *at, uint64_t number, size_t width, char pad)
{
    size_t len = number_len(number);

    for (size_t i = len; i < width; i++) {
        *at++ = pad;
    }
    return put_digits(at, number, len);
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
    return entry->peer ? ip_put(put_span(at, SPAN("HIER_DIRECT/")), entry->peer)
                       : put_span(at, SPAN("HIER_NONE/-"));
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

/* Rearranges a date such as "Sun, 06 Nov 1994 08:49:37 GMT". */
char *column_time(char *at, int64_t when_ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t when = when_ms > 0 ? when_ms : 0;
    char date[DATE_LEN];
    size_t month = 0;

    date_format(when / 1000, date);
    while (month < 11 && memcmp(months + 3 * month, date + 8, 3) != 0) {
        month++;
    }
    at = put_span(at, span_of(date + 12, 4));
    *at++ = '-';
    at = column_padded(at, month + 1, 2, '0');
    *at++ = '-';
    at = put_span(at, span_of(date + 5, 2));
    *at++ = 'T';
    at = put_span(at, span_of(date + 17, 8));
    *at++ = '.';
    at = column_padded(at, (uint64_t)(when % 1000), 3, '0');
    *at++ = 'Z';
    return at;
}

char *column_quotable(char *at, struct span text)
{
    char *start = at;

    while (text.len) {
        at = shown_text(at, span_cut(&text, ' '));
        if (text.len) {
            *at++ = ' ';
        }
    }
    for (char *c = start; c < at; c++) {
        if (*c == '"' || *c == '\\') {
            *c = '\'';
        }
    }
    return at;
}

struct span column_referer(struct span referer)
{
    struct span rest = span_take(referer, span_find(referer, '?'));
    size_t colon = span_find(rest, ':');
    struct span authority = span_skip(rest, colon + 3); /* behind "://" */
    size_t at = span_find(span_take(authority, span_find(authority, '/')), '@');

    /* an honest client sends no referer with a password, so only host and path are shown */
    rest = at < span_find(authority, '/') ? span_skip(authority, at + 1) : rest;
    struct span secret = shown_secret(rest);
    return span_take(rest, secret.len ? (size_t)(secret.at - rest.at) : rest.len);
}

static bool is_escaped(char c)
{
    return c == '"' || c == '\\';
}

/* Works backwards, so that it can escape in place. */
char *column_escape(char *start, char *end)
{
    size_t more = 0;

    for (const char *at = start; at < end; at++) {
        more += is_escaped(*at);
    }
    char *to = end + more;
    for (const char *from = end; from > start && to > from;) {
        *--to = *--from;
        if (is_escaped(*from)) {
            *--to = '\\';
        }
    }
    return end + more;
}
