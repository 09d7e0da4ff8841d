/*
 * uri - request targets and URIs: a strict subset of RFC 3986, one parser for keys and routing.
 *
 * Refused: fragments, userinfo, controls, spaces, non-ASCII bytes, schemes other than http and
 * https, empty hosts, ports outside 1..65535. Path and query bytes are kept as they came. Pure.
 */
#ifndef LARDER_HTTP_URI_H
#define LARDER_HTTP_URI_H

#include "base/arena.h"
#include "http/message.h"

struct uri {
    bool https;
    struct span host; /* lower case, without brackets; an IPv6 address in its canonical text */
    bool is_ipv6;
    uint16_t port;    /* the scheme's default made explicit */
    struct span path; /* "/…" including "?query"; "*" for OPTIONS * */
};

enum uri_form { URI_ORIGIN, URI_ABSOLUTE, URI_AUTHORITY, URI_ASTERISK };

/* An absolute URI. The host is lowered into `arena`. 0 or ERR_SYNTAX. */
int uri_parse(struct span text, struct arena *arena, struct uri *out);

/* "host[:port]" as in Host and authority-form. `default_port` 0: a port is required. */
int uri_parse_authority(struct span text, uint16_t default_port, struct arena *arena,
                        struct uri *out);

/* What a Host field may say: nothing, or a valid "host[:port]" (RFC 9112 3.2). */
bool uri_host_field_is_valid(struct span value);

/* Does a Host field name the host and port of a URI, in whatever spelling? */
bool uri_host_field_names(struct span value, const struct uri *uri, struct arena *arena);

/* The effective URI of a request (RFC 9110 7.1): from its target, its Host field or, in HTTP/2, its
 * pseudo fields. `https` is the scheme of origin-form requests on this listener. Absolute form
 * wins over Host; HTTP/2's pseudo fields count as absolute form. Sets *form. 0 or ERR_SYNTAX with
 * *what a sentence for people. */
int uri_of_request(const struct http_head *head, bool https, struct arena *arena, struct uri *out,
                   enum uri_form *form, const char **what);

/* A reference (Location, Content-Location) resolved against `base` (RFC 3986 5.2, without
 * recursion). 0 or ERR_SYNTAX. */
int uri_resolve(const struct uri *base, struct span reference, struct arena *arena,
                struct uri *out);

/* "host" or "host:port" when it is not the scheme's default; IPv6 in brackets: for Host. */
struct span uri_authority(const struct uri *uri, struct arena *arena);
/* "http://host:port/path", the port always shown: keys. */
struct span uri_text(const struct uri *uri, struct arena *arena);
/* The same without a default port, for people and absolute-form requests. */
struct span uri_display(const struct uri *uri, struct arena *arena);

bool uri_same_origin(const struct uri *a, const struct uri *b);

#endif
