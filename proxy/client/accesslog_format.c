/* accesslog_format - one exchange as one line. Pure; no printf, it runs for every request. */
#include "proxy/client/accesslog.h"

#include "base/check.h"
#include "http/put.h"

/* Longest pieces shown. A byte becomes three at most, so a line fits ACCESSLOG_LINE_MAX. */
enum {
    PATH_MAX_SHOWN = 8192,
    HOST_MAX_SHOWN = 255,
    WORD_MAX_SHOWN = 128,
    COLUMNS_MAX = 512, /* numbers, addresses, words of ours, separators */
};
_Static_assert(3 * (PATH_MAX_SHOWN + 2 * HOST_MAX_SHOWN + 4 * WORD_MAX_SHOWN) + COLUMNS_MAX <=
                   ACCESSLOG_LINE_MAX,
               "the longest line must fit");

/* ---- columns that cannot be forged ---- */

/* Copies text with everything but visible ASCII percent-encoded. */
static char *put_visible(char *at, struct span text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c > ' ' && c < 0x7f) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = hex[c >> 4];
        *at++ = hex[c & 15];
    }
    return at;
}

/* A word of at most WORD_MAX_SHOWN bytes, or "-". */
static char *put_word(char *at, struct span word)
{
    return word.len ? put_visible(at, span_take(word, WORD_MAX_SHOWN)) : put_span(at, SPAN("-"));
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

/* ---- the URL, without secrets ---- */

enum { NAME_LEN = 64 };

/* The value of two hexadecimal digits, or -1. */
static int hex_pair(struct span text, size_t at)
{
    int value = 0;

    if (at + 2 > text.len) {
        return -1;
    }
    for (size_t i = at; i < at + 2; i++) {
        char c = ascii_lower(text.at[i]);
        if (ascii_is_digit(c)) {
            value = value * 16 + (c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value * 16 + (c - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/* A parameter's name, decoded and in lower case. A name that is too long is cut: `*cut`. */
static struct span decoded_name(struct span name, char out[NAME_LEN], bool *cut)
{
    size_t len = 0;
    size_t i;

    for (i = 0; i < name.len && len < NAME_LEN; i++) {
        int c = name.at[i] == '%' ? hex_pair(name, i + 1) : -1;
        i += c >= 0 ? 2 : 0;
        out[len++] = ascii_lower(c >= 0 ? (char)c : name.at[i]);
    }
    *cut = i < name.len;
    return span_of(out, len);
}

static bool contains(struct span text, struct span word)
{
    return memmem(text.at, text.len, word.at, word.len) != NULL;
}

static bool is_secret(struct span name)
{
    static const struct span parts[] = {
        SPAN_INIT("token"),      SPAN_INIT("secret"),    SPAN_INIT("passw"),
        SPAN_INIT("passphrase"), SPAN_INIT("signature"), SPAN_INIT("credential"),
        SPAN_INIT("session"),    SPAN_INIT("apikey"),    SPAN_INIT("jwt"),
    };
    static const struct span ends[] = {
        SPAN_INIT("key"), SPAN_INIT("sig"),  SPAN_INIT("pwd"),
        SPAN_INIT("sid"), SPAN_INIT("auth"), SPAN_INIT("authorization"),
    };
    char buffer[NAME_LEN];
    bool cut;
    struct span decoded = decoded_name(name, buffer, &cut);

    if (cut) {
        return true; /* no honest name is that long */
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (contains(decoded, parts[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (span_ends(decoded, ends[i])) {
            return true;
        }
    }
    return false;
}

/* Where the parameter at the beginning of `query` ends. */
static size_t parameter_len(struct span query)
{
    size_t len = 0;

    while (len < query.len && query.at[len] != '&' && query.at[len] != ';') {
        len++;
    }
    return len;
}

static char *put_query(char *at, struct span query)
{
    while (query.len) {
        size_t len = parameter_len(query);
        struct span value = span_take(query, len);
        struct span name = span_cut(&value, '=');

        at = put_visible(at, name);
        if (name.len < len) {
            *at++ = '=';
            at = value.len && is_secret(name) ? put_span(at, SPAN("\xe2\x80\xa6"))
                                              : put_visible(at, value);
        }
        if (len < query.len) {
            *at++ = query.at[len];
        }
        query = span_skip(query, len + 1);
    }
    return at;
}

static char *put_path(char *at, struct span path)
{
    struct span shown = span_take(path, PATH_MAX_SHOWN);
    size_t question = span_find(shown, '?');

    at = put_visible(at, span_take(shown, question));
    if (question < shown.len) {
        *at++ = '?';
        at = put_query(at, span_skip(shown, question + 1));
    }
    return shown.len < path.len ? put_span(at, SPAN("...")) : at;
}

static char *put_host(char *at, const struct uri *uri)
{
    at = put_span(at, uri->is_ipv6 ? SPAN("[") : SPAN_EMPTY);
    at = put_visible(at, span_take(uri->host, HOST_MAX_SHOWN));
    return put_span(at, uri->is_ipv6 ? SPAN("]") : SPAN_EMPTY);
}

static char *put_port(char *at, const struct uri *uri)
{
    *at++ = ':';
    return put_number(at, uri->port);
}

static char *put_url(char *at, const struct accesslog_entry *entry)
{
    const struct uri *uri = entry->uri;

    if (uri == NULL || uri->host.len == 0) {
        return put_span(at, SPAN("error:invalid-request"));
    }
    if (entry->request && entry->request->method == METHOD_CONNECT) {
        return put_port(put_host(at, uri), uri);
    }
    at = put_span(at, uri->https ? SPAN("https://") : SPAN("http://"));
    at = put_host(at, uri);
    if (uri->port != (uri->https ? 443 : 80)) {
        at = put_port(at, uri);
    }
    return put_path(at, uri->path);
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
        return put_host(put_span(at, SPAN("HIER_DIRECT/")), entry->uri);
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
    at = put_url(at, entry);
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
