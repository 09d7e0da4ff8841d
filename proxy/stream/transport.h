/*
 * transport - bytes over one connection, TCP or TLS: read on and off, write, half-close, close.
 * Belongs to one loop. Events are never called from inside a transport_*() call.
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
    /* Bytes arrived; valid during the call. All must be taken: a protocol that pauses keeps what it
     * has not parsed (at most LOOP_READ_BUFFER bytes). */
    void (*on_bytes)(void *owner, struct span bytes);
    /* The peer has closed its direction. */
    void (*on_eof)(void *owner);
    /* After transport_watch(): there is something to read, or the end. Nothing has been read. */
    void (*on_readable)(void *owner);
    /* Everything queued or lent was sent: more can be written. */
    void (*on_writable)(void *owner);
    /* The connection failed; or, with ERR_TRUNCATED, lent bytes could not be read from their file,
     * or a server ended a TLS connection without close_notify, so that its last message may be
     * incomplete. Only transport_close() may follow. */
    void (*on_error)(void *owner, int err);
};

struct transport *transport_new_tcp(struct loop *loop);
/* The uv handle, for accept, connect and open. Only before transport_start(). */
uv_stream_t *transport_uv(struct transport *transport);
/* Begins: the handle must be connected. Reading is off. */
void transport_start(struct transport *transport, const struct transport_events *events,
                     void *owner);

/* A handshake to be made. */
struct handshake {
    const struct tls_peer *peer; /* as for tls_new(); copied */
    uint64_t limit_ms;           /* 0: no limit */
    /* Role of a server: the client's first bytes are here, and from now on the handshake holds some
     * ten KiB. False: there is no room for it. May not close a transport. NULL: there always is. */
    bool (*may_begin)(void *owner);
    /* See transport_start_tls(). */
    void (*done)(void *owner, int err);
    void *owner;
};

/*
 * Begins TLS on a connected handle, instead of transport_start(). done(owner, err) is called once,
 * never from inside this call. 0: the handshake is complete, and `done` must call
 * transport_start(), since bytes may follow at once, even while reading is off. Otherwise it must
 * call transport_close(). ERR_TIMEOUT: it took longer than `limit_ms`. ERR_CLOSED: the peer has
 * left. ERR_FULL: it might not begin. Other errors are those of tls_handshake().
 *
 * A client may end without close_notify, as its messages have ends of their own; a server may not.
 * All other calls work as without TLS; lent bytes are encrypted piece by piece, as the socket takes
 * them.
 */
void transport_start_tls(struct transport *transport, struct tls_context *context,
                         const struct handshake *handshake);
/* Has the handshake not begun, as only few do in one turn of the loop? What has come is not read
 * meanwhile. */
bool transport_awaits_turn(const struct transport *transport);
/* NULL: no TLS. After the handshake it tells what was negotiated (tls_alpn()), or how it failed. */
const struct tls *transport_tls(const struct transport *transport);
/* The protocol selected by ALPN; ALPN_NONE without TLS. */
enum alpn transport_alpn(const struct transport *transport);

void transport_read_start(struct transport *transport);
void transport_read_stop(struct transport *transport);
/* While it is on, and reading too, what comes is not read: on_readable is called in each turn in
 * which there is something, for transport_splice(). Not with TLS. */
void transport_watch(struct transport *transport, bool on);

#define TRANSPORT_SPANS_MAX 32

/*
 * Writes the spans in order; tries the socket at once. Returns how many bytes the caller may
 * forget, because they were written, or copied into the transport's queue: without `keep` all of
 * them. With `keep`, for which the queue must be empty, the last span is lent: what the socket did
 * not take of it is neither copied nor counted; the transport sends it later, and it must stay
 * valid and unchanged until on_writable or transport_close(). Negative: the connection is broken
 * (on_error does not follow), and nothing is lent; or ERR_TRUNCATED, as in on_error.
 */
ssize_t transport_write(struct transport *transport, const struct span *spans, size_t count,
                        bool keep);

/*
 * Writes `before` like transport_write() without `keep`, then lets the kernel send `len` bytes of a
 * file. Returns how many of these the socket took: fewer when it is full; the rest is neither
 * queued nor lent. The queue must be empty; it is not afterwards if not even `before` fitted. The
 * socket refers to the file's pages until the peer has acknowledged them. ERR_TRUNCATED: the file
 * could not be read (the log has why), and the connection is unchanged. Another negative code: the
 * connection is broken.
 */
ssize_t transport_send_file(struct transport *transport, struct span before,
                            struct file_place place, size_t len);
/* False: bytes that lie in a file have to be written like others. */
bool transport_sends_files(const struct transport *transport);

/* Bytes can be sent to it by transport_splice(): no TLS, and nothing waits. */
bool transport_takes_splice(const struct transport *transport);
/*
 * Has the kernel move what one socket has received to another (splice(2)), at most LOOP_READ_BUFFER
 * bytes, and fewer while memory is tight. Returns how many bytes were received; those that `to` did
 * not take are `rest`, read into the loop's read buffer: it is full, or broken. If it is broken,
 * the next write to it fails, and it tells nothing of its end before that. 0: nothing can be moved,
 * and reading tells why. Negative: `from` is broken.
 */
ssize_t transport_splice(struct transport *from, struct transport *to, struct span *rest);
/* Keeps little unsent data in the socket (TCP_NOTSENT_LOWAT), so that urgent bytes need not wait
 * behind it. */
void transport_keep_low(struct transport *transport);
/* Bytes queued or lent that the socket has not taken so far. The number only decreases until the
 * next transport_write(), which shows whether the peer makes progress. on_writable follows when it
 * reaches 0. */
size_t transport_queued(const struct transport *transport);

/* Sends FIN after what is queued. */
void transport_shutdown(struct transport *transport);
/* Closes at once and frees. No event follows, and nothing lent is read any more. Allowed inside an
 * event, and before transport_start() (a uv_tcp_connect() in progress ends with UV_ECANCELED).
 * `reset`: with RST, so that the peer cannot take it for a proper end. Accepts NULL; sets
 * *transport to NULL. */
void transport_close(struct transport **transport, bool reset);

/* The addresses of the peer and of this end. */
struct ip transport_peer(const struct transport *transport, uint16_t *port);
struct ip transport_local(const struct transport *transport, uint16_t *port);

/* When the transport is closed, its round-trip time is added to `ring` as a sample of `network`.
 * The ring must outlive the transport. */
void transport_tell_rtt(struct transport *transport, struct rtt_ring *ring, uint64_t network);

struct loop *transport_loop(const struct transport *transport);

#endif
