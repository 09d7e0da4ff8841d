/* accesslog_format - one exchange as one line. Pure; no printf, it runs for every request. */
#include "proxy/client/accesslog.h"

#include "base/check.h"
#include "http/put.h"
#include "proxy/client/shown.h"

/* Longest pieces shown. A byte becomes three at most, so a line fits ACCESSLOG_LINE_MAX. */
enum {
    WORD_MAX_SHOWN = 128,
    COLUMNS_MAX = 512, /* numbers, addresses, words of ours, separators */
};
_Static_assert(SHOWN_URL_MAX + SHOWN_HOST_MAX + 3 * 4 * WORD_MAX_SHOWN + COLUMNS_MAX <=
                   ACCESSLOG_LINE_MAX,
               "the longest line must fit");

/* ---- columns that cannot be forged ---- */

/* A word of at most WORD_MAX_SHOWN bytes, or "-". */
static char *put_word(char *at, struct span word)
{
    return word.len ? shown_text(at, span_take(word, WORD_MAX_SHOWN)) : put_span(at, SPAN("-"));
}

static char *put_padded(char *at, uint64_t number, size_t width, char pad)
{
    char digits[PUT_NUMBER_MAX];
    size_t len = (size_t)(put_number(digits, number) - digits);

    for (size_t i = len; i < width; i++) {
        *at++ = pad;
    }
    return put_span(at, span_of(digits, len));
}

static char *put_ip(char *at, const struct ip *ip)
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

/* ---- the other columns ---- */

static char *put_method(char *at, const struct http_head *request)
{
    if (request == NULL) {
        return put_span(at, SPAN("NONE"));
    }
    if (request->method_text.len == 0 && request->method != METHOD_OTHER) {
        return put_span(at, http_method_text(request->method));
    }
    return put_word(at, request->method_text);
}

static char *put_hierarchy(char *at, const struct accesslog_entry *entry)
{
    const struct decision *decision = entry->decision;

    if (entry->peer) {
        return put_ip(put_span(at, SPAN("HIER_DIRECT/")), entry->peer);
    }
    bool asked =
        (decision->fwd_status > 0 && !decision->collapsed) || decision->outcome == OUTCOME_TUNNEL;
    if (asked && entry->uri && entry->uri->host.len) {
        return shown_host(put_span(at, SPAN("HIER_DIRECT/")), entry->uri);
    }
    return put_span(at, SPAN("HIER_NONE/-"));
}

/* The type without its parameters. */
static char *put_type(char *at, struct span type)
{
    return put_word(at, span_trim(span_take(type, span_find(type, ';'))));
}

static char *put_reason(char *at, const struct accesslog_entry *entry)
{
    enum reason kept = entry->decision->store_reason;

    at = put_span(at, reason_word(entry->decision->reason));
    if (kept != REASON_NONE && kept != REASON_STORED && kept != entry->decision->reason) {
        *at++ = ',';
        at = put_span(at, reason_word(kept));
    }
    if (entry->incident.len) {
        *at++ = '#';
        at = put_word(at, entry->incident);
    }
    return at;
}

size_t accesslog_format(char *out, const struct accesslog_entry *entry)
{
    uint64_t when = entry->when_ms > 0 ? (uint64_t)entry->when_ms : 0;
    char *at = put_number(out, when / 1000);

    *at++ = '.';
    at = put_padded(at, when % 1000, 3, '0');
    *at++ = ' ';
    at = put_padded(at, entry->elapsed_us / 1000, 6, ' ');
    *at++ = ' ';
    at = put_ip(at, entry->client);
    *at++ = ' ';
    at = put_span(at, outcome_squid(entry->decision->outcome));
    at = put_span(at, ending_squid(entry->decision->ending));
    *at++ = '/';
    at = put_padded(at, entry->status > 0 ? (uint64_t)entry->status : 0, 3, '0');
    *at++ = ' ';
    at = put_number(at, entry->bytes);
    *at++ = ' ';
    at = put_method(at, entry->request);
    *at++ = ' ';
    at = shown_url(at, entry->uri, entry->request && entry->request->method == METHOD_CONNECT);
    *at++ = ' ';
    at = put_word(at, entry->user);
    *at++ = ' ';
    at = put_hierarchy(at, entry);
    *at++ = ' ';
    at = put_type(at, entry->content_type);
    *at++ = ' ';
    at = put_reason(at, entry);
    *at++ = '\n';
    CHECK(at - out <= ACCESSLOG_LINE_MAX);
    return (size_t)(at - out);
}
