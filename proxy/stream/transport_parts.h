/*
 * transport_parts - the inside of a transport, only for the files it is made of: transport.c (life,
 * reading, facts), transport_write.c (writing), transport_splice.c (both at once) and
 * transport_tls.c (both, through TLS).
 */
#ifndef LARDER_PROXY_STREAM_TRANSPORT_PARTS_H
#define LARDER_PROXY_STREAM_TRANSPORT_PARTS_H

#include "proxy/stream/tls.h"
#include "proxy/stream/transport.h"

/* What TLS adds to a transport. */
struct transport_tls {
    struct tls *engine;
    struct transport *transport;
    bool (*has_room)(void *owner);      /* struct handshake's may_begin; NULL: not to be asked */
    void (*done)(void *owner, int err); /* NULL: the handshake is complete */
    void *owner;                        /* for both */
    struct timeout limit;               /* of the handshake, and for a client's first bytes */
    struct list row;                    /* where a handshake waits for its turn to begin */
    uint64_t limit_ms;
    struct span lent;    /* to be sent once the queue is empty */
    uint64_t written_ms; /* loop time of the last record */
    size_t grown;        /* bytes sent since then without a pause */
    bool may_begin;      /* it is the handshake's turn */
    bool is_eof;         /* the peer has sent close_notify */
};

struct transport {
    uv_tcp_t tcp;
    const struct transport_events *events;
    void *owner;
    struct transport_tls *tls; /* NULL: no TLS */
    struct rtt_ring *rtts;     /* where the round-trip time goes; NULL: nowhere */
    uint64_t network;          /* the peer's network, for `rtts` */
    unsigned pending;          /* writes in progress */
    bool is_reading : 1;
    bool is_watched : 1;      /* what arrives is not read */
    bool is_shutdown_due : 1; /* once the queue is empty */
    bool is_full : 1;         /* the socket took nothing the last time */
    bool is_broken : 1;       /* splice() failed: a socket tells that only once */
    bool is_reset : 1;        /* a write has met the peer's reset, which is told only once, too */
    bool refuses_files : 1;   /* sendfile() does not support this kind of file */
};

/* ---- transport.c ---- */

uv_stream_t *transport_stream(struct transport *transport);
bool transport_is_closing(const struct transport *transport);
/* Most bytes that may be read at once, as there is memory for them if they have to be kept. */
size_t transport_most_read(void);
/* Starts reading, whatever the owner has asked for. 0 or a libuv error. */
int transport_read_on(struct transport *transport);

/* ---- transport_write.c ---- */

size_t transport_total(const struct span *spans, size_t count);
/* Writes what the socket takes at once: 0 when it is full, or when bytes are queued. */
ssize_t transport_try(struct transport *transport, const struct span *spans, size_t count);
/* Queues what follows the first `done` bytes: copies it, except for `lent`. */
int transport_queue(struct transport *transport, const struct span *spans, size_t count,
                    size_t done, struct span lent);
int transport_fd(const struct transport *transport);
/* Sends FIN. */
void transport_fin(struct transport *transport);

/* ---- transport_tls.c ---- */

void transport_tls_free(struct transport *transport);
/* Most ciphertext that may be read at once, so that its plaintext fits a read buffer. 0: the
 * handshake may not begin in this turn, and transport_tls_wait() has to follow. */
size_t transport_tls_room(struct transport *transport);
/* Stops reading until it is the handshake's turn. */
void transport_tls_wait(struct transport *transport);
/* Handles what libuv has read: `n` bytes, 0 for nothing, UV_EOF or an error. */
void transport_tls_read(struct transport *transport, ssize_t n, const char *bytes);
ssize_t transport_tls_write(struct transport *transport, const struct span *spans, size_t count,
                            bool keep);
/* The queue is empty: goes on with what is lent, or with the end. 0 or the transport's error. */
int transport_tls_written(struct transport *transport);
/* Sends close_notify behind what is queued. 0 or the transport's error. */
int transport_tls_end(struct transport *transport);
/* Sends close_notify at once, or not at all. */
void transport_tls_part(struct transport *transport);
/* Reports a broken connection to the owner, or to `done`. */
void transport_failed(struct transport *transport, int err);

#endif
