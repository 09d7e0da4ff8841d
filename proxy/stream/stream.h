/*
 * stream - one HTTP message out and one in, whatever the protocol version and whichever role.
 *
 * HTTP/1 has one stream at a time on a connection, HTTP/2 many, a tunnel is a stream without
 * heads. Exchange (server role: request in, response out) and fetch (client role: request out,
 * response in) never ask which. Belongs to one loop.
 *
 * Events of one stream come in this order: on_head (client role: first any 1xx heads, each a call),
 * on_data*, on_end, and on_close, always the last, exactly once, unless the owner has called
 * stream_close() first: then no event follows at all. After on_close or stream_close() the pointer
 * is dead.
 *
 * Calls made from inside an event only record; bytes move after the event handler has returned.
 */
#ifndef LARDER_PROXY_STREAM_H
#define LARDER_PROXY_STREAM_H

#include "base/source.h"
#include "http/message.h"

enum stream_flow { STREAM_MORE, STREAM_PAUSE };

struct stream_events {
    /* The head's spans are valid during the call only. */
    void (*on_head)(void *owner, const struct http_head *head);
    /* Body bytes (framing removed). PAUSE stops further on_data until stream_resume(). */
    enum stream_flow (*on_data)(void *owner, struct span bytes);
    /* Fields behind the body of the incoming message that may be passed on (http/trailers.h):
     * before on_end, also while paused. Valid during the call only. May be NULL. */
    void (*on_trailers)(void *owner, const struct http_fields *trailers);
    /* The incoming message is complete. In a tunnel: the peer has closed its direction. */
    void (*on_end)(void *owner);
    /* The source of the outgoing message is at its end: which fields go out behind it? Only asked
     * when its length was not announced and the peer's version can have them. NULL: none; else
     * valid and unchanged until on_sent. May be NULL. */
    const struct http_fields *(*trailers)(void *owner);
    /* The outgoing message has left for the transport, its source is at its end and is no longer
     * used. May be NULL. */
    void (*on_sent)(void *owner);
    /* 0: both messages complete. Else why not: ERR_CLOSED, ERR_TRUNCATED, ERR_SYNTAX, ERR_TIMEOUT
     * or a negative errno. The source, if any, has been dropped. */
    void (*on_close)(void *owner, int err);
};

struct stream;

struct stream_ops {
    void (*send_interim)(struct stream *stream, const struct http_head *head);
    void (*send)(struct stream *stream, const struct http_head *head, struct source *body);
    void (*resume)(struct stream *stream);
    void (*close)(struct stream *stream, int err);
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_events *events;
    void *owner;
    /* Bytes of the messages so far, heads and framing included: for logs and counters. */
    uint64_t received;
    uint64_t sent;            /* handed to the transport or about to be */
    uint64_t sent_from_files; /* of these, what the kernel took from files (sendfile) */
};

static inline void stream_bind(struct stream *stream, const struct stream_events *events,
                               void *owner)
{
    stream->events = events;
    stream->owner = owner;
}

/* Server role: a 1xx head before the response. */
static inline void stream_send_interim(struct stream *stream, const struct http_head *head)
{
    stream->ops->send_interim(stream, head);
}

/* Sends the message, once. `head` is serialised before this returns; `body` (NULL: none) is pulled
 * as the transport takes it and dropped at the end. head->framing says how the body is framed:
 * BODY_LENGTH with content_length, BODY_CHUNKED for unknown length (the stream picks what the
 * peer's version can), BODY_NONE. A 2xx to CONNECT or a 101 turns the stream into a tunnel. What
 * came by HTTP/2 with head->upgrade has no other 2xx (RFC 8441): it would be taken for a 101. A
 * source that ends short or fails makes the message broken: the connection is closed (or the
 * HTTP/2 stream reset), never ended cleanly. */
static inline void stream_send(struct stream *stream, const struct http_head *head,
                               struct source *body)
{
    stream->ops->send(stream, head, body);
}

static inline void stream_resume(struct stream *stream)
{
    stream->ops->resume(stream);
}

/* Gives up: the source is dropped, the connection closed or the HTTP/2 stream reset. */
static inline void stream_close(struct stream *stream, int err)
{
    stream->ops->close(stream, err);
}

#endif
