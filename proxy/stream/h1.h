/*
 * h1 - HTTP/1.0 and 1.1 on a transport, both roles, behind stream.h. One struct, a flag for the
 * role: RFC 9112 is the same on both sides.
 *
 * Server role: requests are read one after the other; pipelined ones wait in the connection's
 * buffer until the response before is sent, and small responses leave in one write at the end of
 * the read. A head that does not parse, a body that breaks or stops before it was answered, is
 * answered here through on_bad_head.
 *
 * What h1 decides alone: the framing for this peer's version, and whether the connection goes on
 * (head->keep_alive of what is sent does not matter). A response that has been sent ends the
 * exchange: what is left of the request gives no more on_data or on_end; it is drained up to a
 * limit, else the connection is closed in a way that lets the client read the answer.
 *
 * Of a CONNECT, or a request with head->upgrade, it is open whether more follows: on_end comes
 * with the response that declines it, or, when it becomes a tunnel, at the peer's end. Bytes behind
 * the head wait for that. In the client role the body given to stream_send() for such a request is
 * pulled only when it was granted (on_head with 101, or 2xx to CONNECT), and dropped otherwise.
 */
#ifndef LARDER_PROXY_STREAM_H1_H
#define LARDER_PROXY_STREAM_H1_H

#include "http/h1_parse.h"
#include "proxy/stream/stream.h"
#include "proxy/stream/transport.h"

/* Milliseconds; 0: no limit. */
struct h1_limits_time {
    uint64_t head_ms;       /* from the first byte of a head to its end (server), 408 after it */
    uint64_t idle_ms;       /* between messages; the connection is closed quietly */
    uint64_t body_ms;       /* no byte of a body came or went although one was waited for */
    uint64_t first_byte_ms; /* client role: from the request sent to the response head */
    uint64_t tunnel_ms;     /* after CONNECT or Upgrade: no byte either way */
};

/* So many times body_ms a tunnel's peer may take nothing of what waits for it: who is in it may
 * stop reading for a while. */
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
     * closes. The callee may put fields into `head`, from its arena (which goes with the call), and
     * an error page into `body`. May be NULL. */
    void (*on_bad_head)(void *owner, const struct h1_error *error, struct http_head *head,
                        struct buf *body);
    /* Follows on_bad_head: so many bytes are sent of that answer, its head among them; 0: none.
     * May be NULL. */
    void (*on_refused)(void *owner, const struct h1_error *error, size_t sent);
    /* Server role: the first thing the client says is HTTP/2's preface (RFC 9113 3.4). h1 is gone
     * with this call, and the transport is the callee's; `received` begins with the preface. NULL:
     * such a client is told that only HTTP/1 is spoken here. */
    void (*on_preface)(void *owner, struct transport *transport, struct span received);
    /* Client role: the exchange is complete and the connection can carry another one. NULL in the
     * server role. */
    void (*on_idle)(void *owner);
    /* The connection is gone and freed after this call. Always the last event, but for on_preface.
     */
    void (*on_gone)(void *owner);
};

/* What a client says first that speaks HTTP/2 without having been asked. */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Takes over the transport. `settings` must outlive the connection. `https`-ness and addresses are
 * the owner's business. */
struct h1 *h1_serve(struct transport *transport, const struct h1_settings *settings,
                    const struct h1_events *events, void *owner);
struct h1 *h1_connect(struct transport *transport, const struct h1_settings *settings,
                      const struct h1_events *events, void *owner);

/* Client role, idle connection: the stream for the next request; bind it, then stream_send(). */
struct stream *h1_request(struct h1 *h1);

/* Client role: a response head has not arrived and nothing was received on this connection since
 * the request was sent: the request may be repeated elsewhere if its method permits. Valid until
 * on_close returns. */
bool h1_untouched(const struct h1 *h1);
/* The connection of a stream of this protocol; NULL for any other stream. */
struct h1 *h1_of_stream(const struct stream *stream);
/* As given to h1_serve() or h1_connect(). */
void *h1_owner(const struct h1 *h1);

/* Server role: no further request is read; the current one finishes with "Connection: close". Who
 * has connected within the last second has until its end for a first request, which is answered so.
 */
void h1_drain(struct h1 *h1);
/* The same, but no request is lost that may be on its way: where no answer that is to come can say
 * so, one more is answered. A connection that has had no request yet waits three seconds for it, a
 * kept one a second. */
void h1_drain_kindly(struct h1 *h1);
/* Server role: since before that (loop milliseconds) no request is under way, nor bytes of an
 * answer; part of a head may have come. */
bool h1_is_waiting(const struct h1 *h1, uint64_t before_ms);
/* Server role: of a request that nothing has been answered to yet, the body is waited for, and
 * comes next to not at all (pace.h). */
bool h1_is_slow(const struct h1 *h1);
/* Closes at once: on_close(err), then on_gone. Not from inside an event of its own. */
void h1_abort(struct h1 *h1, int err);
/* Closes at once; streams get no event, on_gone is not called. Accepts NULL. */
void h1_close(struct h1 **h1);
/* NULL once the connection is closed: inside on_close(err), on_gone and after stream_close(). */
struct transport *h1_transport(const struct h1 *h1);

/*
 * The stream for the one request of a connection that nobody else uses: what may change the
 * protocol. It owns itself; `times.tunnel_ms` of the settings, which are copied, is for what
 * follows then.
 */
struct stream *h1_request_alone(struct transport *transport, const struct h1_settings *settings);

/*
 * A tunnel as a stream without heads: what CONNECT joins to the client's stream. send() takes a
 * NULL head. Both directions close on their own (half-close); on_close(0) after both.
 */
struct stream *tunnel_stream(struct transport *transport, uint64_t idle_ms);
void tunnel_start(struct stream *stream); /* after stream_bind() */

#endif
