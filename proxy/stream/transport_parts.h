/*
 * transport_parts - the inside of a transport, for the files it is made of: transport.c (life,
 * reading, facts), transport_write.c (writing) and transport_tls.c (both, through TLS). Nobody else
 * includes it.
 */
#ifndef LARDER_PROXY_STREAM_TRANSPORT_PARTS_H
#define LARDER_PROXY_STREAM_TRANSPORT_PARTS_H

#include "proxy/stream/tls.h"
#include "proxy/stream/transport.h"

/* What TLS adds to a transport. */
struct transport_tls {
    struct tls *engine;
    struct transport *transport;
    void (*done)(void *owner, int err); /* NULL: the handshake is over */
    void *owner;                        /* for `done` */
    struct timeout limit;               /* of the handshake; a client's begin */
    uint64_t limit_ms;
    struct span lent;    /* to be sent when the socket has taken what is queued */
    uint64_t written_ms; /* loop time of the last record */
    size_t grown;        /* bytes sent without a pause since */
    bool is_eof;         /* the peer has said that this was the end */
};

struct transport {
    uv_tcp_t tcp;
    const struct transport_events *events;
    void *owner;
    struct transport_tls *tls; /* NULL: plain */
    struct rtt_ring *rtts;     /* NULL: nobody wants to know */
    uint64_t network;          /* the peer's, for them */
    uint64_t received;
    uint64_t sent;
    unsigned pending; /* writes whose end has not been told */
    bool is_reading;
    bool is_shutdown_due; /* when the queue has left */
    bool is_full;         /* the socket has just said so */
    bool refuses_files;   /* sendfile() does not know this kind of file */
};

/* ---- transport.c ---- */

uv_stream_t *transport_stream(struct transport *transport);
bool transport_is_closing(const struct transport *transport);
/* Reading on, whatever the owner has asked for. 0 or a code of libuv. */
int transport_read_on(struct transport *transport);

/* ---- transport_write.c ---- */

size_t transport_total(const struct span *spans, size_t count);
/* What the socket takes right now: 0 when it is full, or something waits already. */
ssize_t transport_try(struct transport *transport, const struct span *spans, size_t count);
/* Hands to libuv what lies behind the first `done` bytes: copied, but for `lent`. */
int transport_queue(struct transport *transport, const struct span *spans, size_t count,
                    size_t done, struct span lent);
/* FIN. */
void transport_fin(struct transport *transport);

/* ---- transport_tls.c ---- */

void transport_tls_free(struct transport *transport);
/* The most that may be read at once: what it becomes fits a read buffer. 0: not in this turn. */
size_t transport_tls_room(struct transport *transport);
/* What libuv has read: `n` bytes, 0 for nothing, UV_EOF or an error. */
void transport_tls_read(struct transport *transport, ssize_t n, const char *bytes);
ssize_t transport_tls_write(struct transport *transport, const struct span *spans, size_t count,
                            bool keep);
/* The queue has left: goes on with what is lent, or with the end. 0 or the transport's error. */
int transport_tls_written(struct transport *transport);
/* Tells the peer that this was the end, behind what is queued. 0 or the transport's error. */
int transport_tls_end(struct transport *transport);
/* The same at once, or not at all. */
void transport_tls_part(struct transport *transport);
/* The connection is broken: who has to be told? */
void transport_failed(struct transport *transport, int err);

#endif
