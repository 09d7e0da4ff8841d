/*
 * uri_request - the effective URI of a request (RFC 9110 7.1), for each form of the target.
 */
#include "base/err.h"
#include "http/uri_parts.h"

static int refuse(const char **what, const char *why)
{
    *what = why;
    return ERR_SYNTAX;
}

static int of_connect(struct span authority, struct arena *arena, struct uri *out,
                      enum uri_form *form, const char **what)
{
    *form = URI_AUTHORITY;
    if (uri_parse_authority(authority, 0, arena, out)) {
        return refuse(what, "CONNECT needs a target of the form host:port");
    }
    out->https = out->port == PORT_HTTPS;
    return 0;
}

/* Origin-form and asterisk-form: the authority is given by Host or :authority. */
static int of_path(struct span path, struct span authority, bool https, struct arena *arena,
                   struct uri *out, const char **what)
{
    if (authority.len == 0) {
        return refuse(what, "The request does not say which host it is for");
    }
    if (!uri_path_is_valid(path)) {
        return refuse(what, "The request target has a character that no URI has");
    }
    if (uri_parse_authority(authority, uri_default_port(https), arena, out)) {
        return refuse(what, "The host is not a valid name or address");
    }
    out->https = https;
    out->path = path;
    return 0;
}

/* Does an OPTIONS request for "http://host" without a path ask the server itself? The last proxy
 * sends "*" (RFC 9112 3.2.4). */
static bool asks_server(const struct http_head *head)
{
    bool https;
    struct span rest = span_skip(head->target, uri_scheme_len(head->target, &https));

    return head->method == METHOD_OPTIONS && span_find(rest, '/') == rest.len &&
           span_find(rest, '?') == rest.len;
}

static int of_absolute(const struct http_head *head, struct arena *arena, struct uri *out,
                       enum uri_form *form, const char **what)
{
    *form = URI_ABSOLUTE;
    if (uri_parse(head->target, arena, out)) {
        return refuse(what, "The request target is not a valid http or https URI");
    }
    if (asks_server(head)) {
        out->path = SPAN("*");
    }
    return 0;
}

/* Where the pseudo fields lead, if :authority was parsed when they were read. */
static int of_place(const struct http_head *head, bool https, struct uri *out, const char **what)
{
    if (!uri_path_is_valid(head->target)) {
        return refuse(what, "The request target has a character that no URI has");
    }
    *out = (struct uri){
        .https = https,
        .host = head->place.host,
        .is_ipv6 = head->place.is_ipv6,
        .port = head->place.port,
        .path = head->target,
    };
    return 0;
}

/* The pseudo fields are the parts of an absolute URI. */
static int of_http2(const struct http_head *head, struct arena *arena, struct uri *out,
                    enum uri_form *form, const char **what)
{
    struct span authority =
        head->authority.len ? head->authority : fields_get(&head->fields, FIELD_HOST);
    bool https = span_ieq(head->scheme, SPAN("https"));

    if (head->method == METHOD_CONNECT && head->scheme.len == 0) {
        return of_connect(head->authority.len ? head->authority : head->target, arena, out, form,
                          what);
    }
    if (!https && !span_ieq(head->scheme, SPAN("http"))) {
        return refuse(what, "The scheme is neither http nor https");
    }
    bool asterisk = head->method == METHOD_OPTIONS && span_eq(head->target, SPAN("*"));
    if (!asterisk && !span_starts(head->target, SPAN("/"))) {
        return refuse(what, "The path does not start with a slash");
    }
    *form = URI_ABSOLUTE;
    return head->place.host.len ? of_place(head, https, out, what)
                                : of_path(head->target, authority, https, arena, out, what);
}

int uri_of_request(const struct http_head *head, bool https, struct arena *arena, struct uri *out,
                   enum uri_form *form, const char **what)
{
    struct span target = head->target;
    struct span host = fields_get(&head->fields, FIELD_HOST);

    *out = (struct uri){0};
    if (head->version == HTTP_2) {
        return of_http2(head, arena, out, form, what);
    }
    if (head->method == METHOD_CONNECT) {
        return of_connect(target, arena, out, form, what);
    }
    if (span_starts(target, SPAN("/"))) {
        *form = URI_ORIGIN;
        return of_path(target, host, https, arena, out, what);
    }
    if (span_eq(target, SPAN("*"))) {
        *form = URI_ASTERISK;
        return head->method == METHOD_OPTIONS ? of_path(target, host, https, arena, out, what)
                                              : refuse(what, "Only OPTIONS may ask for \"*\"");
    }
    return of_absolute(head, arena, out, form, what);
}
