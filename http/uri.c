/*
 * What is accepted beyond RFC 3986, and why: path and query may hold any visible ASCII byte but
 * "#" (quotes, braces, "|", "^", "\" and a stray "%" reach real origins every day, and changing
 * them would change the resource). What is refused beyond it: a host whose last label is a number
 * but which is no dotted quad ("127.1", "0x7f000001"), because resolvers disagree about it.
 */
#include "http/uri_parts.h"

#include "base/check.h"
#include "base/err.h"
#include "http/chars.h"
#include "http/put.h"

#include <arpa/inet.h>

enum { HOST_MAX = 255, PORT_DIGITS = 5 };

static struct span lowered(struct span text, struct arena *arena)
{
    char *copy = arena_alloc(arena, text.len);

    for (size_t i = 0; i < text.len; i++) {
        copy[i] = ascii_lower(text.at[i]);
    }
    return span_of(copy, text.len);
}

/* inet_pton() needs a terminator; the text itself must not contain a NUL. */
static bool ipv6_parse(struct span text, struct in6_addr *address)
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(copy) || span_find(text, '\0') < text.len) {
        return false;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, address) == 1;
}

/* Might a resolver take this name for an IPv4 address in some notation? */
static bool ends_in_number(struct span host)
{
    if (span_ends(host, SPAN("."))) {
        host.len--;
    }
    size_t start = host.len;
    while (start > 0 && host.at[start - 1] != '.') {
        start--;
    }
    struct span last = span_skip(host, start);
    if (last.len >= 2 && last.at[0] == '0' && (last.at[1] | 0x20) == 'x') {
        return chars_are(span_skip(last, 2), CHAR_HEX);
    }
    for (size_t i = 0; i < last.len; i++) {
        if (!ascii_is_digit(last.at[i])) {
            return false;
        }
    }
    return last.len > 0;
}

/* Parses one number of a dotted quad at *at: 0 to 255, without leading zeros. */
static bool take_octet(struct span text, size_t *at)
{
    size_t start = *at;
    unsigned value = 0;

    while (*at < text.len && *at < start + 3 && ascii_is_digit(text.at[*at])) {
        value = value * 10 + (unsigned)(text.at[(*at)++] - '0');
    }
    size_t len = *at - start;
    return len > 0 && value <= 255 && (len == 1 || text.at[start] != '0');
}

/* Does inet_pton() accept it as an IPv4 address? */
static bool is_dotted_quad(struct span text)
{
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        if (i > 0 && (at == text.len || text.at[at++] != '.')) {
            return false;
        }
        if (!take_octet(text, &at)) {
            return false;
        }
    }
    return at == text.len;
}

static bool name_is_valid(struct span host)
{
    if (host.len == 0 || host.len > HOST_MAX || !chars_are(host, CHAR_HOST)) {
        return false;
    }
    return !ends_in_number(host) || is_dotted_quad(host);
}

/* The parts of an authority; `host` is without brackets. */
struct authority {
    struct span host, port;
    bool is_ipv6, has_port;
};

static bool split_authority(struct span text, struct authority *out)
{
    *out = (struct authority){0};
    if (text.len && text.at[0] == '[') {
        size_t close = span_find(text, ']');
        if (close == text.len) {
            return false;
        }
        out->is_ipv6 = true;
        out->host = span_from_to(text.at + 1, text.at + close);
        text = span_skip(text, close + 1);
    } else {
        size_t colon = span_find(text, ':');
        out->host = span_take(text, colon);
        text = span_skip(text, colon);
    }
    if (text.len == 0) {
        return true;
    }
    out->has_port = true;
    out->port = span_skip(text, 1);
    return text.at[0] == ':';
}

/* "host:" means the default port (RFC 3986 3.2.3). False: the port is out of range, or there is
 * neither a port nor a default. */
static bool parse_port(const struct authority *authority, uint16_t default_port, uint16_t *port)
{
    uint64_t number = default_port;

    if (authority->port.len > PORT_DIGITS ||
        (authority->port.len && !span_to_u64(authority->port, UINT16_MAX, &number))) {
        return false;
    }
    *port = (uint16_t)number;
    return number > 0;
}

bool uri_host_field_is_valid(struct span value)
{
    struct authority authority;
    struct in6_addr address;
    uint16_t port;

    if (value.len == 0) {
        return true;
    }
    if (!split_authority(value, &authority) || !parse_port(&authority, PORT_HTTP, &port)) {
        return false;
    }
    return authority.is_ipv6 ? ipv6_parse(authority.host, &address) : name_is_valid(authority.host);
}

static bool set_ipv6(struct span text, struct arena *arena, struct uri *out)
{
    struct in6_addr address;
    char canonical[INET6_ADDRSTRLEN];

    if (!ipv6_parse(text, &address)) {
        return false;
    }
    CHECK(inet_ntop(AF_INET6, &address, canonical, sizeof(canonical)) != NULL);
    out->host = arena_copy(arena, span_str(canonical));
    out->is_ipv6 = true;
    return true;
}

int uri_parse_authority(struct span text, uint16_t default_port, struct arena *arena,
                        struct uri *out)
{
    struct authority authority;

    *out = (struct uri){.https = default_port == PORT_HTTPS};
    if (!split_authority(text, &authority) || !parse_port(&authority, default_port, &out->port)) {
        return ERR_SYNTAX;
    }
    if (authority.is_ipv6) {
        return set_ipv6(authority.host, arena, out) ? 0 : ERR_SYNTAX;
    }
    if (!name_is_valid(authority.host)) {
        return ERR_SYNTAX;
    }
    out->host = lowered(authority.host, arena);
    return 0;
}

bool uri_host_field_names(struct span value, const struct uri *uri, struct arena *arena)
{
    uint16_t port = uri_default_port(uri->https);
    struct span rest = span_skip(value, uri->host.len);
    uint64_t number = port;
    struct uri said;

    /* the usual form */
    if (span_ieq(span_take(value, uri->host.len), uri->host) &&
        (rest.len == 0 ||
         (rest.at[0] == ':' && span_to_u64(span_skip(rest, 1), UINT16_MAX, &number))) &&
        number == uri->port) {
        return true;
    }
    return uri_parse_authority(value, port, arena, &said) == 0 && said.port == uri->port &&
           span_eq(said.host, uri->host);
}

size_t uri_scheme_len(struct span text, bool *https)
{
    const struct span http_prefix = SPAN("http://");
    const struct span https_prefix = SPAN("https://");

    *https = span_ieq(span_take(text, https_prefix.len), https_prefix);
    if (*https) {
        return https_prefix.len;
    }
    return span_ieq(span_take(text, http_prefix.len), http_prefix) ? http_prefix.len : 0;
}

bool uri_path_is_valid(struct span path)
{
    return chars_are_visible(path) && span_find(path, '#') == path.len;
}

/* Path and query of a hierarchical URI; an empty path becomes "/". */
static struct span rooted_path(struct span path, struct arena *arena)
{
    if (path.len == 0) {
        return SPAN("/");
    }
    return path.at[0] == '/' ? path : arena_printf(arena, "/%.*s", SPAN_ARGS(path));
}

int uri_parse(struct span text, struct arena *arena, struct uri *out)
{
    bool https;
    size_t start = uri_scheme_len(text, &https);
    struct span rest = span_skip(text, start);
    size_t len = 0;

    while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?') {
        len++;
    }
    struct span path = span_skip(rest, len);
    if (start == 0 || !uri_path_is_valid(path)) {
        return ERR_SYNTAX;
    }
    int err = uri_parse_authority(span_take(rest, len), uri_default_port(https), arena, out);
    out->https = https;
    out->path = rooted_path(path, arena);
    return err;
}

static bool port_is_default(const struct uri *uri)
{
    return uri->port == uri_default_port(uri->https);
}

static char *put_authority(char *at, const struct uri *uri, bool with_port)
{
    at = put_span(at, uri->is_ipv6 ? SPAN("[") : SPAN_EMPTY);
    at = put_span(at, uri->host);
    at = put_span(at, uri->is_ipv6 ? SPAN("]") : SPAN_EMPTY);
    if (with_port) {
        *at++ = ':';
        at = put_number(at, uri->port);
    }
    return at;
}

struct span uri_authority(const struct uri *uri, struct arena *arena)
{
    if (port_is_default(uri) && !uri->is_ipv6) {
        return uri->host;
    }
    char *text = arena_alloc(arena, uri->host.len + sizeof("[]:65535"));
    return span_from_to(text, put_authority(text, uri, !port_is_default(uri)));
}

static struct span format(const struct uri *uri, bool with_port, struct arena *arena)
{
    char *text = arena_alloc(arena, uri->host.len + uri->path.len + sizeof("https://[]:65535"));
    char *at = put_span(text, uri->https ? SPAN("https://") : SPAN("http://"));

    at = put_authority(at, uri, with_port);
    /* "*" is no path of a URI: it means the server itself (RFC 9112 3.2.4) */
    if (!span_eq(uri->path, SPAN("*"))) {
        at = put_span(at, uri->path);
    }
    return span_from_to(text, at);
}

struct span uri_text(const struct uri *uri, struct arena *arena)
{
    return format(uri, true, arena);
}

struct span uri_display(const struct uri *uri, struct arena *arena)
{
    return format(uri, !port_is_default(uri), arena);
}

bool uri_same_origin(const struct uri *a, const struct uri *b)
{
    return a->https == b->https && a->port == b->port && a->is_ipv6 == b->is_ipv6 &&
           span_eq(a->host, b->host);
}
