/* accesslog_format - writes one exchange as one line. Pure. Without printf, as it runs for every
 * request. */
#include "proxy/client/accesslog_columns.h"

#include "base/check.h"
#include "http/put.h"
#include "proxy/client/shown.h"

/* Numbers, addresses, words of ours, names and separators. */
enum { COLUMNS_MAX = 1024 };
_Static_assert(SHOWN_URL_MAX + SHOWN_HOST_MAX + 3 * 5 * WORD_MAX_SHOWN + 3 * 2 * QUOTED_MAX_SHOWN +
                       COLUMNS_MAX <=
                   ACCESSLOG_LINE_MAX,
               "the longest line must fit");

static char *format_squid(char *out, const struct accesslog_entry *entry)
{
    uint64_t when = entry->when_ms > 0 ? (uint64_t)entry->when_ms : 0;
    char *at = put_number(out, when / 1000);

    *at++ = '.';
    at = column_padded(at, when % 1000, 3, '0');
    *at++ = ' ';
    at = column_padded(at, entry->elapsed_us / 1000, 6, ' ');
    *at++ = ' ';
    at = ip_put(at, entry->client);
    *at++ = ' ';
    at = put_span(at, outcome_squid(entry->decision->outcome));
    at = put_span(at, ending_squid(entry->decision->ending));
    *at++ = '/';
    at = column_padded(at, entry->status > 0 ? (uint64_t)entry->status : 0, 3, '0');
    *at++ = ' ';
    at = put_number(at, entry->bytes);
    *at++ = ' ';
    at = column_method(at, entry->request);
    *at++ = ' ';
    at = shown_url(at, entry->uri, entry->request && entry->request->method == METHOD_CONNECT);
    *at++ = ' ';
    at = column_word(at, entry->user);
    *at++ = ' ';
    at = column_hierarchy(at, entry);
    *at++ = ' ';
    at = column_type(at, entry->content_type);
    *at++ = ' ';
    at = column_reason(at, entry);
    return at;
}

size_t accesslog_format(char *out, const struct log_style *style,
                        const struct accesslog_entry *entry)
{
    char *at = out;

    switch (style->format) {
    case ACCESS_SQUID:
        at = format_squid(out, entry);
        break;
    case ACCESS_COMBINED:
        at = accesslog_combined(out, entry);
        break;
    case ACCESS_JSON:
        at = style->piece_count ? accesslog_members(out, style, entry) : accesslog_json(out, entry);
        break;
    case ACCESS_TEMPLATE:
        at = accesslog_template(out, style, entry);
        break;
    }
    *at++ = '\n';
    CHECK(at - out <= ACCESSLOG_LINE_MAX);
    return (size_t)(at - out);
}
