/* shown - text and URLs of peers for logs and people. */
#include "proxy/client/shown.h"

#include "base/check.h"
#include "base/swar.h"
#include "http/put.h"

/* Longest texts shown; escaping makes up to three bytes of one. */
enum { PATH_SHOWN = 8192, HOST_SHOWN = 255 };
_Static_assert(3 * HOST_SHOWN + 2 <= SHOWN_HOST_MAX, "the longest host must fit");
_Static_assert(3 * PATH_SHOWN + SHOWN_HOST_MAX + 32 <= SHOWN_URL_MAX, "the longest URL must fit");

/* Is none of eight bytes to be escaped? */
static bool are_plain(const char *at)
{
    uint64_t word = swar_load(at);

    return ((word & SWAR_HIGH) | swar_below(word, ' ' + 1) | swar_is(word, 0x7f)) == 0;
}

char *shown_text(char *at, struct span text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *begin = at;

    for (; text.len >= 8 && are_plain(text.at); text = span_skip(text, 8)) {
        memcpy(at, text.at, 8);
        at += 8;
    }
    bool is_rest = at > begin && text.len > 0 && text.len < 8;
    if (is_rest && are_plain(text.at + text.len - 8)) {
        memcpy(at + text.len - 8, text.at + text.len - 8, 8); /* the first ones are there already */
        return at + text.len;
    }
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

/* The name of a parameter, decoded and in lower case. *cut: the name was too long. */
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
    return text.len >= word.len && memmem(text.at, text.len, word.at, word.len) != NULL;
}

/* `name` as returned by decoded_name(). */
static bool is_secret(struct span name)
{
    static const struct span parts[] = {
        SPAN_INIT("token"),      SPAN_INIT("secret"),    SPAN_INIT("passw"),
        SPAN_INIT("passphrase"), SPAN_INIT("signature"), SPAN_INIT("credential"),
        SPAN_INIT("session"),    SPAN_INIT("apikey"),    SPAN_INIT("jwt"),
        SPAN_INIT("cookie"),     SPAN_INIT("assertion"),
    };
    static const struct span ends[] = {
        SPAN_INIT("key"),  SPAN_INIT("sig"),           SPAN_INIT("pwd"), SPAN_INIT("sid"),
        SPAN_INIT("auth"), SPAN_INIT("authorization"), SPAN_INIT("otp"), SPAN_INIT("_verifier"),
    };
    static const struct span words[] = {
        SPAN_INIT("pin"),
        SPAN_INIT("pw"),
        SPAN_INIT("samlresponse"),
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (contains(name, parts[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (span_ends(name, ends[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_eq(name, words[i])) {
            return true;
        }
    }
    return false;
}

bool shown_is_secret(struct span name)
{
    char buffer[NAME_LEN];
    bool cut;
    struct span decoded = decoded_name(name, buffer, &cut);

    /* an honest name is never that long, so it is treated as secret */
    return cut || is_secret(decoded);
}

/* "code" is a secret of OAuth (RFC 6749 4.1.2) as a query parameter. Elsewhere, and inside other
 * names, it is the code of a country or a colour. */
static bool is_secret_of_query(struct span name)
{
    char buffer[NAME_LEN];
    bool cut;
    struct span decoded = decoded_name(name, buffer, &cut);

    return cut || span_eq(decoded, SPAN("code")) || is_secret(decoded);
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

        at = shown_text(at, name);
        if (name.len < len) {
            *at++ = '=';
            at = value.len && is_secret_of_query(name) ? put_span(at, SPAN("\xe2\x80\xa6"))
                                                       : shown_text(at, value);
        }
        if (len < query.len) {
            *at++ = query.at[len];
        }
        query = span_skip(query, len + 1);
    }
    return at;
}

struct span shown_secret(struct span path)
{
    for (size_t at = span_find(path, ';'); at < path.len;
         at += span_find(span_skip(path, at), ';')) {
        struct span value = span_skip(path, ++at);
        value = span_take(value, span_find(value, ';'));
        value = span_take(value, span_find(value, '/'));
        struct span name = span_cut(&value, '=');
        if (value.len && shown_is_secret(name)) {
            return value;
        }
    }
    return span_of(path.at + path.len, 0);
}

/* Writes the path without its query. */
static char *put_path(char *at, struct span path)
{
    while (span_find(path, ';') < path.len) {
        struct span secret = shown_secret(path);
        at = shown_text(at, span_take(path, (size_t)(secret.at - path.at)));
        at = put_span(at, secret.len ? SPAN("\xe2\x80\xa6") : SPAN_EMPTY);
        path = span_skip(path, (size_t)(secret.at - path.at) + secret.len);
    }
    return shown_text(at, path);
}

char *shown_path(char *at, const struct uri *uri)
{
    struct span path = uri->path;
    struct span shown = span_take(path, PATH_SHOWN);
    size_t question = span_find(shown, '?');

    at = put_path(at, span_take(shown, question));
    if (question < shown.len) {
        *at++ = '?';
        at = put_query(at, span_skip(shown, question + 1));
    }
    return shown.len < path.len ? put_span(at, SPAN("...")) : at;
}

char *shown_host(char *at, const struct uri *uri)
{
    at = put_span(at, uri->is_ipv6 ? SPAN("[") : SPAN_EMPTY);
    at = shown_text(at, span_take(uri->host, HOST_SHOWN));
    return put_span(at, uri->is_ipv6 ? SPAN("]") : SPAN_EMPTY);
}

static char *put_port(char *at, const struct uri *uri)
{
    *at++ = ':';
    return put_number(at, uri->port);
}

char *shown_url(char *at, const struct uri *uri, bool connect)
{
    if (uri == NULL || uri->host.len == 0) {
        return put_span(at, SPAN("error:invalid-request"));
    }
    if (connect) {
        return put_port(shown_host(at, uri), uri);
    }
    at = put_span(at, uri->https ? SPAN("https://") : SPAN("http://"));
    at = shown_host(at, uri);
    if (uri->port != (uri->https ? 443 : 80)) {
        at = put_port(at, uri);
    }
    return shown_path(at, uri);
}
