/*
 * connect - a tunnel: joins the client's stream to a connection, either to the target of a CONNECT,
 * or to an origin that has switched protocols (Upgrade). Bytes flow with back pressure both ways,
 * and each direction is closed separately. Belongs to one loop.
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
    struct stream *client; /* is resumed when the target accepts bytes again */
    struct ip from;        /* the client's address */
    bool is_metered;       /* what goes to the client is counted between from_target and it */
    /* Connected to the target, at this address. The response body is `from_target`, to be sent
     * after the 200. */
    void (*on_open)(void *arg, const struct ip *peer, struct source *from_target);
    /* The connection failed. The tunnel is freed already. */
    void (*on_failed)(void *arg, int status, enum reason reason);
    /* The target's connection broke after the target had closed its direction, or the tunnel gives
     * way: only closing the client's connection can tell the client. */
    void (*on_lost)(void *arg);
    void *arg;
};

/* Opens a tunnel for a CONNECT. No callback runs before it has returned. */
struct connect_tunnel *connect_open(const struct connect_order *order);

/* Makes a tunnel for an Upgrade: it connects to nothing, and the order needs no `uri`, on_open and
 * on_failed. connect_source() gives the client's bytes, for stream_send() to the origin; that
 * stream must be done with it before connect_close(). */
struct connect_tunnel *connect_prepare(const struct connect_order *order);
struct source *connect_source(struct connect_tunnel *tunnel);
/* Joins the other end: the origin's stream, which has become a tunnel and pulls from
 * connect_source(). Returns the source of the origin's bytes. */
struct source *connect_join(struct connect_tunnel *tunnel, struct stream *target);

/* Takes bytes from the client, and the end of its direction. */
enum stream_flow connect_write(struct connect_tunnel *tunnel, struct span bytes);
void connect_write_end(struct connect_tunnel *tunnel);

/* Where the client's bytes may go at once: see `sink` in stream.h. */
enum stream_flow connect_sink(struct connect_tunnel *tunnel, struct stream **sink);

/* To be called when the client's stream is gone. If both sides had closed their directions, pending
 * bytes are still sent to the target. Accepts NULL; sets *tunnel to NULL. */
void connect_close(struct connect_tunnel **tunnel);

/* Where requests are refused because memory is short: closes a few tunnels through which nothing
 * has come for some seconds, although bytes wait in them or their targets have never said anything;
 * or for half a minute. False: there is none among those that were looked at. */
bool connects_yield_memory(struct worker *worker);

/* Closes all tunnels of a worker that must stop. Their clients must be closed already. */
void connect_abort_all(struct worker *worker);

#endif
