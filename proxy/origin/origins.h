/*
 * origins - the HTTP/1 connections of one loop, by origin: those in use, and idle ones kept for
 * reuse. The most recently used is reused first, so that the others can time out. An origin is
 * known while it has a connection.
 */
#ifndef LARDER_PROXY_ORIGIN_ORIGINS_H
#define LARDER_PROXY_ORIGIN_ORIGINS_H

#include "proxy/origin/upstream.h"

#define ORIGIN_HOST_MAX 255

struct origins;

/* What identifies an origin. It includes how its certificate was verified. */
struct origin_at {
    struct span host; /* at most ORIGIN_HOST_MAX bytes */
    uint16_t port;
    uint64_t tls; /* serial number of the TLS context; 0: no TLS */
};

/* Settings for connections opened later; the limit of idle connections applies from the next one
 * on. */
struct origins *origins_new(struct loop *loop);
void origins_configure(struct origins *origins, const struct h1_settings *settings,
                       size_t idle_per_origin);
/* Closes every connection. Accepts NULL; sets *origins to NULL. */
void origins_free(struct origins **origins);

/* Reuses an idle connection whose address `check` still allows. Returns the stream for the next
 * request, and the address in *address. NULL: there is none. */
struct stream *origins_take(struct origins *origins, const struct origin_at *at,
                            const struct address_check *check, struct ip *address);
/* Adds a new connection. Returns the stream for its first request. */
struct stream *origins_adopt(struct origins *origins, const struct origin_at *at,
                             struct transport *transport, const struct ip *address, bool others);

/* Does it have an HTTP/1 connection? */
bool origins_speaks_h1(const struct origins *origins, const struct origin_at *at);

/* As upstream_refused() and upstream_may_retry(). */
bool origins_refused(const struct stream *stream);
bool origins_may_retry(const struct stream *stream);
bool origins_untouched(const struct stream *stream);
/* A response has begun on the stream. Whether one has, on any connection to its origin, later than
 * `then_ms`. */
void origins_heard(const struct stream *stream, uint64_t now_ms);
bool origins_heard_since(const struct stream *stream, uint64_t then_ms);
/* Closes idle connections to the address that the stream's connection leads to. False: the name has
 * no other address. */
bool origins_shun(const struct stream *stream, struct ip *address, uint16_t *port);
/* Closes the connection that has been idle longest, as soon as no handler runs. False: there is
 * none. */
bool origins_shed(struct origins *origins);
size_t origins_idle(const struct origins *origins);

#endif
