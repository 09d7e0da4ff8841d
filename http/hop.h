/*
 * hop - what a proxy adds and removes between two hops (RFC 9110 7.6). Pure.
 */
#ifndef LARDER_HTTP_HOP_H
#define LARDER_HTTP_HOP_H

#include "http/message.h"
#include "http/uri.h"

/* Removes Connection, the hop-by-hop fields (Keep-Alive, Proxy-Connection, Proxy-Authenticate,
 * Proxy-Authentication-Info, Proxy-Authorization, TE, Trailer, Transfer-Encoding, Upgrade,
 * HTTP2-Settings), and every field that Connection lists (7.6.1) unless it is in names.h,
 * X-Forwarded-* or X-Real-IP: those are for all recipients, and removing them would change the
 * message's meaning. Content-Length stays. */
void hop_strip(struct http_fields *fields);
/* Removes only the fields that Connection lists and names.h does not have. For requests just
 * received: the cache must select by the fields that the origin will see. Otherwise a client could
 * list a field that Vary names, and have the response to a request without it stored for requests
 * with it. */
void hop_strip_listed(struct http_fields *fields);

/* Removes from trailers all fields that Connection of the head lists (7.6.1); `connection` is its
 * value, lines joined. Known fields are removed, too, as nobody needs a trailer to understand the
 * message. If the list has more than 64 members, all trailers are removed. */
void hop_strip_trailers(struct http_fields *trailers, struct span connection);
/* The Trailer field to send for a received one with the value `names`: without names that
 * Connection lists, and without those that are not forwarded (http/trailers.h). Empty if none are
 * left. */
struct span hop_trailer_names(struct span names, struct span connection, struct arena *arena);

/* Appends our entry to Via, as a line of its own: "1.1 larder". `received` is the version of the
 * received message. */
void hop_add_via(struct http_fields *fields, enum http_version received, struct span pseudonym,
                 struct arena *arena);
/* Has the request already passed through us, that is, does Via or CDN-Loop name `pseudonym`? */
bool hop_is_loop(const struct http_fields *fields, struct span pseudonym);
void hop_add_cdn_loop(struct http_fields *fields, struct span pseudonym, struct arena *arena);

/* Is there a field that hop_strip_places() removes? */
bool hop_says_place(const struct http_fields *fields);
/* Does one of these fields name a place other than `uri`, the URI of the request? Forwarded with
 * only `for`, or with the same host and scheme, does not. */
bool hop_says_other_place(const struct http_fields *fields, const struct uri *uri,
                          struct arena *arena);
/* Removes the fields by which a client names the place it asked: Forwarded, X-Forwarded-Host and
 * -Proto, X-Original-URL, X-Rewrite-URL and the like. Origins do not list them in Vary; links made
 * from them, or a page of another place, would be stored for everybody. X-Forwarded-For stays. */
void hop_strip_places(struct http_fields *fields);

/* Does a TLS terminator in front of us say so: "X-Forwarded-Proto: https", once? */
bool hop_says_https(const struct http_fields *fields);
/* Adds the same field for the origin, unless it is there. */
void hop_say_https(struct http_fields *fields);

/* Adds a Forwarded element (RFC 7239) as a line of its own. `client` is an address as text, IPv6
 * without brackets; `host` is the valid value of Host, maybe empty. */
void hop_add_forwarded(struct http_fields *fields, struct span client, struct span host, bool https,
                       struct arena *arena);
/* Appends the client's address to X-Forwarded-For; all lines become one, as many origins read only
 * the first. */
void hop_add_forwarded_for(struct http_fields *fields, struct span client, struct arena *arena);

#endif
