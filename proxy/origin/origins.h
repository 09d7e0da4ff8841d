/*
 * origins - the HTTP/1 connections of one loop by origin: those in use, and idle ones kept for the
 * next request. The most recently used one is taken first, so that the others can time out.
 *
 * An origin is known for as long as it has a connection.
 */
#ifndef LARDER_PROXY_ORIGIN_ORIGINS_H
#define LARDER_PROXY_ORIGIN_ORIGINS_H

#include "proxy/origin/upstream.h"

#define ORIGIN_HOST_MAX 255

struct origins;

/* The connections that `settings` limit are those opened later; the number of idle ones applies
 * from the next one on. */
struct origins *origins_new(struct loop *loop);
void origins_configure(struct origins *origins, const struct h1_settings *settings,
                       size_t idle_per_origin);
/* Closes every connection. Accepts NULL, sets it to NULL. */
void origins_free(struct origins **origins);

/* An idle connection to host (at most ORIGIN_HOST_MAX bytes) and port whose address `check` still
 * allows, as the stream for the next request; its address in *address. NULL: none. */
struct stream *origins_take(struct origins *origins, struct span host, uint16_t port,
                            const struct address_check *check, struct ip *address);
/* The stream for the first request on a new connection. */
struct stream *origins_adopt(struct origins *origins, struct span host, uint16_t port,
                             struct transport *transport, const struct ip *address);

/* See upstream_may_retry(). */
bool origins_may_retry(const struct stream *stream);
size_t origins_idle(const struct origins *origins);

#endif
