/*
 * transport - bytes over one connection: read on and off, write, half-close, close. TCP, or TLS
 * behind the same face. Belongs to one loop.
 *
 * Events are never called from inside a transport_*() call.
 */
#ifndef LARDER_PROXY_STREAM_TRANSPORT_H
#define LARDER_PROXY_STREAM_TRANSPORT_H

#include "base/file_place.h"
#include "base/prefix.h"
#include "proxy/stream/loop.h"
#include "proxy/stream/rtt.h"
#include "proxy/stream/tls.h"

struct transport;

struct transport_events {
    /* Bytes arrived; valid during the call. All of them must be taken: a protocol that pauses keeps
     * what it has not parsed (at most LOOP_READ_BUFFER bytes). */
    void (*on_bytes)(void *owner, struct span bytes);
    /* The peer has closed its direction. */
    void (*on_eof)(void *owner);
    /* What transport_write() had to queue or was lent is gone: more can be written. */
    void (*on_writable)(void *owner);
    /* The connection failed, or (ERR_TRUNCATED) what was lent could not be read: it lay in a file
     * that is not there any more; or a server's TLS connection ended without a word (close_notify),
     * so that nobody knows whether it said all. Only transport_close() may follow. */
    void (*on_error)(void *owner, int err);
};

struct transport *transport_new_tcp(struct loop *loop);
/* The uv handle, for accept, connect and open; only before transport_start(). */
uv_stream_t *transport_uv(struct transport *transport);
/* The handle is connected. Reading is off. */
void transport_start(struct transport *transport, const struct transport_events *events,
                     void *owner);

/*
 * TLS over what is connected, before transport_start(); nothing has been read yet. done(owner, err)
 * follows once, never from inside this call: at 0 the handshake is over, and transport_start()
 * belongs into it, since bytes may follow at once, also while reading is off; otherwise
 * transport_close() does. ERR_TIMEOUT: it took longer than `limit_ms` (0: no limit). ERR_CLOSED:
 * the peer has left. Other codes: tls_handshake(). Role and peer are tls_new()'s.
 *
 * A client that does not say that its end is one (close_notify) is believed: its messages have ends
 * of their own. A server is not. All other calls are the same; lent bytes are encrypted piece by
 * piece, as the socket takes them.
 */
void transport_start_tls(struct transport *transport, struct tls_context *context,
                         const struct tls_peer *peer, uint64_t limit_ms,
                         void (*done)(void *owner, int err), void *owner);
/* NULL: plain. After the handshake it says what was agreed on (tls_alpn()), and how it failed. */
const struct tls *transport_tls(const struct transport *transport);
/* What was agreed on by ALPN; ALPN_NONE without TLS. */
enum alpn transport_alpn(const struct transport *transport);

void transport_read_start(struct transport *transport);
void transport_read_stop(struct transport *transport);

#define TRANSPORT_SPANS_MAX 32

/*
 * Writes the spans in order, trying the socket at once. Returns how many of their bytes the caller
 * may forget: written, or copied into the transport's own queue. Without `keep` that is all of
 * them. With `keep` the last span is lent: what the socket did not take of it is not copied and not
 * counted; the transport sends it as the socket lets it, and it must stay valid and unchanged until
 * on_writable or transport_close(). `keep` needs an empty queue.
 * Negative: the connection is broken (on_error does not follow), nothing is lent; or ERR_TRUNCATED,
 * as for on_error.
 */
ssize_t transport_write(struct transport *transport, const struct span *spans, size_t count,
                        bool keep);

/*
 * Writes `before` as transport_write() does without `keep`, and has the kernel send the `len` bytes
 * of a file behind it. Returns how many of these the socket took: fewer when it is full, and then
 * nothing of them is queued or lent. Needs an empty queue, and leaves a full one when not even
 * `before` fitted. The socket refers to the file's pages until the peer has acknowledged them.
 * ERR_TRUNCATED: the file could not be read (a line in the log says why), the connection is as
 * before. Another negative code: the connection is broken.
 */
ssize_t transport_send_file(struct transport *transport, struct span before,
                            struct file_place place, size_t len);
/* False: bytes that lie in a file are written like others. */
bool transport_sends_files(const struct transport *transport);
/* The socket keeps little that has not been sent (TCP_NOTSENT_LOWAT): what becomes urgent later
 * does not wait behind it. */
void transport_keep_low(struct transport *transport);
/* Bytes queued or lent that the socket has not taken yet; they only ever become fewer until the
 * next transport_write(), so a reader that makes progress can be told from one that stands still.
 * on_writable follows when it reaches 0. */
size_t transport_queued(const struct transport *transport);

/* Sends FIN after what is queued. */
void transport_shutdown(struct transport *transport);
/* Closes at once and frees; no event follows and nothing lent is read any more. Allowed inside an
 * event and before transport_start() (a uv_tcp_connect() under way ends with UV_ECANCELED). Accepts
 * NULL, sets it to NULL. `reset`: abort with RST so that the peer cannot mistake it for a proper
 * end. */
void transport_close(struct transport **transport, bool reset);

/* The peer's address and ours. */
struct ip transport_peer(const struct transport *transport, uint16_t *port);
struct ip transport_local(const struct transport *transport, uint16_t *port);

/* When the transport is closed, how far its peer was goes to `ring`, which outlives it, as a sample
 * of `network`. */
void transport_tell_rtt(struct transport *transport, struct rtt_ring *ring, uint64_t network);

/* Bytes read and written so far. */
uint64_t transport_received(const struct transport *transport);
uint64_t transport_sent(const struct transport *transport);
struct loop *transport_loop(const struct transport *transport);

#endif
