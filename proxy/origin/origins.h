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

/* What makes a connection to one origin: whom it was verified for, and how, is part of it. */
struct origin_at {
    struct span host; /* at most ORIGIN_HOST_MAX bytes */
    uint16_t port;
    uint64_t tls; /* the context's serial; 0: plain */
};

/* The connections that `settings` limit are those opened later; the number of idle ones applies
 * from the next one on. */
struct origins *origins_new(struct loop *loop);
void origins_configure(struct origins *origins, const struct h1_settings *settings,
                       size_t idle_per_origin);
/* Closes every connection. Accepts NULL, sets it to NULL. */
void origins_free(struct origins **origins);

/* An idle connection to the origin whose address `check` still allows, as the stream for the next
 * request; its address in *address. NULL: none. */
struct stream *origins_take(struct origins *origins, const struct origin_at *at,
                            const struct address_check *check, struct ip *address);
/* The stream for the first request on a new connection. */
struct stream *origins_adopt(struct origins *origins, const struct origin_at *at,
                             struct transport *transport, const struct ip *address);

/* It has a connection, and that is HTTP/1's. */
bool origins_speaks_h1(const struct origins *origins, const struct origin_at *at);

/* See upstream.h. */
bool origins_refused(const struct stream *stream);
bool origins_may_retry(const struct stream *stream);
/* Gives up the connection that has been idle for longest, soon, when no handler runs. False: there
 * is none. */
bool origins_shed(struct origins *origins);
size_t origins_idle(const struct origins *origins);

#endif
