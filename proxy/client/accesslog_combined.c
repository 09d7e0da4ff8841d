/* accesslog_combined - the format of Apache and nginx, followed by what the cache did. */
#include "proxy/client/accesslog_columns.h"

#include "http/date.h"
#include "http/put.h"
#include "proxy/client/shown.h"

/* Rearranges "Sun, 06 Nov 1994 08:49:37 GMT" to "[06/Nov/1994:08:49:37 +0000]". */
static char *put_time(char *at, int64_t when)
{
    char date[DATE_LEN];

    date_format(when, date);
    *at++ = '[';
    at = put_span(at, span_of(date + 5, 2));
    *at++ = '/';
    at = put_span(at, span_of(date + 8, 3));
    *at++ = '/';
    at = put_span(at, span_of(date + 12, 4));
    *at++ = ':';
    at = put_span(at, span_of(date + 17, 8));
    return put_span(at, SPAN(" +0000]"));
}

/* Replaces quotes and backslashes in text that will be quoted. */
static char *mask_quotes(char *start, char *end)
{
    for (char *at = start; at < end; at++) {
        if (*at == '"' || *at == '\\') {
            *at = '\'';
        }
    }
    return end;
}

/* Writes at most QUOTED_MAX_SHOWN bytes. */
static char *put_quoted(char *at, struct span text)
{
    struct span shown = span_take(text, QUOTED_MAX_SHOWN);

    *at++ = '"';
    at = shown.len ? column_quotable(at, shown) : put_span(at, SPAN("-"));
    *at++ = '"';
    return at;
}

static struct span field_of(const struct accesslog_entry *entry, enum http_field_id id)
{
    return entry->request ? fields_get(&entry->request->fields, id) : SPAN_EMPTY;
}

static char *put_request(char *at, const struct accesslog_entry *entry)
{
    const struct http_head *request = entry->request;
    char *start = at + 1;

    *at++ = '"';
    at = column_method(at, request);
    *at++ = ' ';
    at = shown_url(at, entry->uri, request && request->method == METHOD_CONNECT);
    mask_quotes(start, at);
    return put_span(at, request && request->version == HTTP_1_0 ? SPAN(" HTTP/1.0\"")
                        : request && request->version == HTTP_2 ? SPAN(" HTTP/2.0\"")
                                                                : SPAN(" HTTP/1.1\""));
}

char *accesslog_combined(char *at, const struct accesslog_entry *entry)
{
    at = ip_put(at, entry->client);
    at = put_span(at, SPAN(" - "));
    at = column_word(at, entry->user);
    *at++ = ' ';
    at = put_time(at, entry->when_ms / 1000);
    *at++ = ' ';
    at = put_request(at, entry);
    *at++ = ' ';
    at = column_padded(at, entry->status > 0 ? (uint64_t)entry->status : 0, 3, '0');
    *at++ = ' ';
    at = put_number(at, entry->bytes);
    *at++ = ' ';
    at = put_quoted(at, column_referer(field_of(entry, FIELD_REFERER)));
    *at++ = ' ';
    at = put_quoted(at, field_of(entry, FIELD_USER_AGENT));
    *at++ = ' ';
    at = put_span(at, outcome_squid(entry->decision->outcome));
    at = put_span(at, ending_squid(entry->decision->ending));
    *at++ = ':';
    at = column_hierarchy(at, entry);
    *at++ = ' ';
    return column_reason(at, entry);
}
