/*
 * hop - what a proxy adds and removes between two hops (RFC 9110 7.6). Pure.
 */
#ifndef LARDER_HTTP_HOP_H
#define LARDER_HTTP_HOP_H

#include "http/message.h"
#include "http/uri.h"

/* Removes Connection, the fields that belong to one hop (Keep-Alive, Proxy-Connection,
 * Proxy-Authenticate, Proxy-Authentication-Info, Proxy-Authorization, TE, Trailer,
 * Transfer-Encoding, Upgrade, HTTP2-Settings), and every field Connection lists that this program
 * has no name for (7.6.1). Fields of names.h, X-Forwarded-* and X-Real-IP are meant for all
 * recipients and stay though listed: removing them would change the message's meaning.
 * Content-Length stays. */
void hop_strip(struct http_fields *fields);
/* Removes only what Connection lists and this program has no name for. For a request that has just
 * come: the cache must select by the fields that the origin will see. A client that lists a field
 * that Vary names would else have the answer to a request without it kept for those with it. */
void hop_strip_listed(struct http_fields *fields);

/* Removes from the fields behind a body all that Connection of the head before it lists (7.6.1):
 * `connection` is its value, lines joined. Here those known to us go, too: no recipient needs a
 * trailer to understand the message. A list of more than 64 takes all of them. */
void hop_strip_trailers(struct http_fields *trailers, struct span connection);
/* The value for Trailer when the one that came is `names`: without those that Connection lists or
 * that are not passed on (http/trailers.h). Empty when none is left. */
struct span hop_trailer_names(struct span names, struct span connection, struct arena *arena);

/* Appends our member to Via, as a line of its own: "1.1 larder". `received` is the version the
 * message came in. */
void hop_add_via(struct http_fields *fields, enum http_version received, struct span pseudonym,
                 struct arena *arena);
/* A request that already went through us (Via or CDN-Loop names `pseudonym`). */
bool hop_is_loop(const struct http_fields *fields, struct span pseudonym);
void hop_add_cdn_loop(struct http_fields *fields, struct span pseudonym, struct arena *arena);

/* Is there one of the fields that hop_strip_places() removes? */
bool hop_says_place(const struct http_fields *fields);
/* Is one of them there that says something else than `uri`, for which the request is? Forwarded of
 * a proxy that tells of the client alone (`for`), or of just this host and scheme, does not. */
bool hop_says_other_place(const struct http_fields *fields, const struct uri *uri,
                          struct arena *arena);
/* Removes where a client says that it has asked: Forwarded, X-Forwarded-Host and -Proto,
 * X-Original-URL, X-Rewrite-URL and their like. No origin chooses by Vary for them: links made of
 * them, or a page of another place, would be kept for all. X-Forwarded-For stays. */
void hop_strip_places(struct http_fields *fields);

/* Who ends TLS before us says so: "X-Forwarded-Proto: https", once. */
bool hop_says_https(const struct http_fields *fields);
/* And so we tell the origin, unless it is said already. */
void hop_say_https(struct http_fields *fields);

/* Adds a Forwarded member (RFC 7239) in a line of its own. `client` is an address in text, IPv6
 * without brackets; `host` is what Host said, checked; it may be empty. */
void hop_add_forwarded(struct http_fields *fields, struct span client, struct span host, bool https,
                       struct arena *arena);
/* Appends the client's address to X-Forwarded-For, made one line because many origins read only the
 * first. */
void hop_add_forwarded_for(struct http_fields *fields, struct span client, struct arena *arena);

#endif
