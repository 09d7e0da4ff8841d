/*
 * uri - request targets and URIs: a strict subset of RFC 3986, with one parser for keys and
 * routing. Not accepted: fragments, userinfo, controls, spaces, non-ASCII bytes, schemes other than
 * http and https, empty hosts, ports outside 1..65535. Path and query are kept unchanged. Pure.
 */
#ifndef LARDER_HTTP_URI_H
#define LARDER_HTTP_URI_H

#include "base/arena.h"
#include "http/message.h"

struct uri {
    bool https;
    struct span host; /* lower case, without brackets; an IPv6 address in its canonical text */
    bool is_ipv6;
    uint16_t port;    /* explicit: without one, the default of the scheme */
    struct span path; /* "/…" with "?query"; "*" for OPTIONS * */
};

enum uri_form { URI_ORIGIN, URI_ABSOLUTE, URI_AUTHORITY, URI_ASTERISK };

/* Parses an absolute URI; a lower-case host is put into `arena`. Returns 0 or ERR_SYNTAX. */
int uri_parse(struct span text, struct arena *arena, struct uri *out);

/* Parses "host[:port]", as in Host and authority-form. `default_port` 0: the port is required.
 * Returns 0 or ERR_SYNTAX. */
int uri_parse_authority(struct span text, uint16_t default_port, struct arena *arena,
                        struct uri *out);

/* Is it a valid Host field: empty, or "host[:port]" (RFC 9112 3.2)? */
bool uri_host_field_is_valid(struct span value);

/* Does a Host field name host and port of this URI, in any spelling? */
bool uri_host_field_names(struct span value, const struct uri *uri, struct arena *arena);

/* Determines the URI of a request (RFC 9110 7.1) from its target, its Host field and, in HTTP/2,
 * its pseudo fields. `https` is the scheme for origin-form requests on this listener. Absolute form
 * takes precedence over Host; pseudo fields count as absolute form. Sets *form. Returns 0, or
 * ERR_SYNTAX with *what a sentence for people. */
int uri_of_request(const struct http_head *head, bool https, struct arena *arena, struct uri *out,
                   enum uri_form *form, const char **what);

/* Resolves a reference (Location, Content-Location) against `base` (RFC 3986 5.2). Returns 0 or
 * ERR_SYNTAX. */
int uri_resolve(const struct uri *base, struct span reference, struct arena *arena,
                struct uri *out);

/* "host", or "host:port" unless it is the scheme's default; IPv6 in brackets. For Host. */
struct span uri_authority(const struct uri *uri, struct arena *arena);
/* "http://host:port/path", always with the port. For cache keys. */
struct span uri_text(const struct uri *uri, struct arena *arena);
/* The same without a default port. For people, and for absolute-form requests. */
struct span uri_display(const struct uri *uri, struct arena *arena);

bool uri_same_origin(const struct uri *a, const struct uri *b);

#endif
