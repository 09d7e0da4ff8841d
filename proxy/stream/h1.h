/*
 * h1 - HTTP/1.0 and 1.1 on a transport, in both roles, behind stream.h. One struct with a flag for
 * the role, because RFC 9112 is the same on both sides. Belongs to one loop.
 *
 * Server role: requests are read one after the other. Pipelined ones wait in the connection's
 * buffer until the previous response is sent; small responses leave in one write at the end of the
 * read. A malformed head, and a body that breaks or stalls before the request was answered, are
 * answered here through on_bad_head.
 *
 * h1 alone decides the framing for the peer's version, and whether the connection persists
 * (head->keep_alive of what is sent is ignored). A complete response ends the exchange: the rest of
 * the request causes no more on_data or on_end. It is drained up to a limit; beyond that the
 * connection is closed in a way that lets the client read the response.
 *
 * After a CONNECT, or a request with head->upgrade, it is open whether the client sends more:
 * on_end comes with the response that declines it or, in a tunnel, when the peer closes its
 * direction. Bytes behind the head wait for that. In the client role the body given to
 * stream_send() for such a request is pulled only once the request is granted (on_head with 101, or
 * 2xx to CONNECT), and dropped otherwise.
 */
#ifndef LARDER_PROXY_STREAM_H1_H
#define LARDER_PROXY_STREAM_H1_H

#include "http/h1_parse.h"
#include "proxy/stream/stream.h"
#include "proxy/stream/transport.h"

/* Milliseconds; 0: no limit. */
struct h1_limits_time {
    uint64_t head_ms;       /* server role: from the first byte of a head to its end; then 408 */
    uint64_t idle_ms;       /* between messages; then the connection is closed silently */
    uint64_t body_ms;       /* no byte of a body was received or sent although one was waited for */
    uint64_t first_byte_ms; /* client role: from the end of the request to the response head */
    uint64_t tunnel_ms;     /* after CONNECT or Upgrade: no byte either way */
};

/* How many times body_ms the peer of a tunnel may refuse to take bytes: its user may pause. */
#define TUNNEL_PATIENCE 10

struct h1_settings {
    struct h1_limits limits;
    struct h1_limits_time times;
};

struct h1;

struct h1_events {
    /* Server role: a request begins. The callee binds the stream (stream_bind) before returning;
     * on_head follows at once. */
    void (*on_stream)(void *owner, struct stream *stream);
    /* Server role: the head was malformed, too long or too late. h1 answers with error->status and
     * closes. The callee may add fields to `head`, with memory from its arena, and write an error
     * page to `body`. May be NULL. */
    void (*on_bad_head)(void *owner, const struct h1_error *error, struct http_head *head,
                        struct buf *body);
    /* Called after on_bad_head: bytes that were sent of that answer, head included; 0: none. May be
     * NULL. */
    void (*on_refused)(void *owner, const struct h1_error *error, size_t sent);
    /* Server role: a part of a head is here and has to be kept. False: there is no room for it, and
     * the connection is closed. May be NULL. */
    bool (*may_keep)(void *owner);
    /* Server role: the client begins with HTTP/2's preface (RFC 9113 3.4). h1 is freed with this
     * call, and the transport belongs to the callee; `received` begins with the preface. NULL: the
     * client is told that only HTTP/1 is supported. */
    void (*on_preface)(void *owner, struct transport *transport, struct span received);
    /* Client role: the exchange is complete, and the connection can be used again. NULL in the
     * server role. */
    void (*on_idle)(void *owner);
    /* The connection is closed and is freed after this call. Always the last event, except after
     * on_preface. */
    void (*on_gone)(void *owner);
};

/* The first bytes of a client that uses HTTP/2 with prior knowledge. */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Takes over the transport. `settings` must outlive the connection. */
struct h1 *h1_serve(struct transport *transport, const struct h1_settings *settings,
                    const struct h1_events *events, void *owner);
struct h1 *h1_connect(struct transport *transport, const struct h1_settings *settings,
                      const struct h1_events *events, void *owner);

/* Client role, idle connection: returns the stream for the next request; bind it, then call
 * stream_send(). */
struct stream *h1_request(struct h1 *h1);

/* Client role: has nothing been received since the request was sent? Then the request may be
 * repeated elsewhere if its method permits. Valid until on_close returns. */
bool h1_untouched(const struct h1 *h1);
/* The connection of a stream of this protocol; NULL for any other stream. */
struct h1 *h1_of_stream(const struct stream *stream);
/* As given to h1_serve() or h1_connect(). */
void *h1_owner(const struct h1 *h1);

/* Server role: reads no further request; the current one is answered with "Connection: close". A
 * client that connected less than a second ago may still send a first request within that
 * second. */
void h1_drain(struct h1 *h1);
/* The same without losing a request that may be on its way: if no pending response can say
 * "Connection: close", one more request is answered. A new connection waits three seconds for it, a
 * kept one a second. */
void h1_drain_kindly(struct h1 *h1);
/* Server role: has there been no request, and no byte of a response, since before that (loop
 * milliseconds)? Part of a head may have come; or the last response was sent, and is being read. */
bool h1_is_waiting(const struct h1 *h1, uint64_t before_ms);
/* Server role: is the body of a request, to which nothing was answered so far, coming too slowly
 * (pace.h)? */
bool h1_is_slow(const struct h1 *h1);
/* Server role: has the client taken next to nothing of what waits for it, for PACE_LOOK_MS
 * (pace.h)? What it takes between two calls counts. */
bool h1_is_stalled(struct h1 *h1);
/* Closes at once: on_close(err), then on_gone. Must not be called from an event of its own. */
void h1_abort(struct h1 *h1, int err);
/* Closes at once, without any event. Accepts NULL; sets *h1 to NULL. */
void h1_close(struct h1 **h1);
/* NULL once the connection is closed: inside on_close(err) and on_gone, and after
 * stream_close(). */
struct transport *h1_transport(const struct h1 *h1);

/*
 * Makes a stream for one request that may switch protocols, on a connection that nothing else uses.
 * It owns itself. `settings` are copied; their tunnel_ms applies after the switch.
 */
struct stream *h1_request_alone(struct transport *transport, const struct h1_settings *settings);

/*
 * A tunnel as a stream without heads, to be joined to the stream of a CONNECT. send() takes a NULL
 * head. Each direction is closed separately; on_close(0) follows when both are.
 */
struct stream *tunnel_stream(struct transport *transport, uint64_t idle_ms);
void tunnel_start(struct stream *stream); /* after stream_bind() */

#endif
