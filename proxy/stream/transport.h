/*
 * transport - bytes over one connection: read on and off, write, half-close, close. TCP now, TLS
 * behind the same face later. Belongs to one loop.
 *
 * Events are never called from inside a transport_*() call.
 */
#ifndef LARDER_PROXY_STREAM_TRANSPORT_H
#define LARDER_PROXY_STREAM_TRANSPORT_H

#include "base/prefix.h"
#include "proxy/stream/loop.h"

struct transport;

struct transport_events {
    /* Bytes arrived; valid during the call. All of them must be taken: a protocol that pauses keeps
     * what it has not parsed (at most LOOP_READ_BUFFER bytes). */
    void (*on_bytes)(void *owner, struct span bytes);
    /* The peer has closed its direction. */
    void (*on_eof)(void *owner);
    /* What transport_write() had to queue is gone: more can be written. */
    void (*on_writable)(void *owner);
    /* The connection failed. Only transport_close() may follow. */
    void (*on_error)(void *owner, int err);
};

struct span_list {
    const struct span *at;
    size_t count;
};

struct transport *transport_new_tcp(struct loop *loop);
/* The uv handle, for accept and connect; only before transport_start(). */
uv_stream_t *transport_uv(struct transport *transport);
void transport_start(struct transport *transport, const struct transport_events *events,
                     void *owner);

void transport_read_start(struct transport *transport);
void transport_read_stop(struct transport *transport);

/*
 * Writes the spans in order, trying the socket at once. Returns how many bytes need no further
 * care: written, or (when `keep` is false) copied into the transport's own queue. With `keep` the
 * last span is lent: bytes of it that the socket did not take are neither copied nor counted; the
 * caller comes again with them after on_writable. Bytes of the spans before it are always taken.
 * Negative: the connection is broken (on_error does not follow).
 */
ssize_t transport_write(struct transport *transport, const struct span *spans, size_t count,
                        bool keep);
/* Bytes waiting in the transport's own queue; 0 means transport_write() may be called. */
size_t transport_queued(const struct transport *transport);

/* Sends FIN after what is queued. */
void transport_shutdown(struct transport *transport);
/* Closes at once and frees; no event follows. Accepts NULL, sets it to NULL. `reset`: abort with
 * RST so that the peer cannot mistake it for a proper end. */
void transport_close(struct transport **transport, bool reset);

/* The peer's address and ours. */
struct ip transport_peer(const struct transport *transport, uint16_t *port);
struct ip transport_local(const struct transport *transport, uint16_t *port);

/* Bytes read and written so far. */
uint64_t transport_received(const struct transport *transport);
uint64_t transport_sent(const struct transport *transport);
struct loop *transport_loop(const struct transport *transport);

#endif
