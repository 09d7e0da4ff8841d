/*
 * connect - a tunnel: a connection to the target of a CONNECT, or the one that an origin has
 * changed to another protocol, joined to the client's stream byte by byte with back pressure both
 * ways, each direction closing on its own. Belongs to one loop.
 */
#ifndef LARDER_PROXY_CLIENT_CONNECT_H
#define LARDER_PROXY_CLIENT_CONNECT_H

#include "proxy/stream/stream.h"
#include "proxy/worker.h"

struct connect_tunnel;

struct connect_order {
    struct worker *worker;
    struct settings *settings;
    const struct uri *uri; /* host and port */
    struct stream *client; /* resumed when the target takes bytes again */
    struct ip from;        /* the client's address */
    /* The target is connected, at this address: `from_target` are its bytes, to be sent behind the
     * 200. */
    void (*on_open)(void *arg, const struct ip *peer, struct source *from_target);
    /* No connection; the tunnel is gone. */
    void (*on_failed)(void *arg, int status, enum reason reason);
    /* The target broke off after it had closed its direction: nothing but the end of the client's
     * connection can tell the client. */
    void (*on_lost)(void *arg);
    void *arg;
};

/* Never calls back before it has returned. */
struct connect_tunnel *connect_open(const struct connect_order *order);

/* A tunnel whose other end is still to come, by Upgrade: it connects to nothing, and `uri` and the
 * calls for that are not needed. connect_source() has the client's bytes, for stream_send();
 * whoever was given it has to be done with it before connect_close(). */
struct connect_tunnel *connect_prepare(const struct connect_order *order);
struct source *connect_source(struct connect_tunnel *tunnel);
/* The other end is there: a stream that has become a tunnel, and pulls from connect_source().
 * Returns what it sends. */
struct source *connect_join(struct connect_tunnel *tunnel, struct stream *target);

/* Bytes and the end of the client's direction. */
enum stream_flow connect_write(struct connect_tunnel *tunnel, struct span bytes);
void connect_write_end(struct connect_tunnel *tunnel);

/* The client's stream is gone. When both sides had closed their directions, what the client sent
 * last still goes to the target. Accepts NULL; sets it to NULL. */
void connect_close(struct connect_tunnel **tunnel);

/* Ends all of a worker's tunnels now: when it must stop. Their clients must have been closed. */
void connect_abort_all(struct worker *worker);

#endif
