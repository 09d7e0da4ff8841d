/*
 * stream - one HTTP message out and one in, whatever the protocol version and the role. An HTTP/1
 * connection has one stream at a time, an HTTP/2 connection many; a tunnel is a stream without
 * heads. Exchange (server role: request in, response out) and fetch (client role: request out,
 * response in) do not know the protocol. Belongs to one loop.
 *
 * Events of a stream come in this order: on_head (client role: before it one call for each 1xx
 * head), on_data*, on_trailers, on_end, and on_close. on_close is always the last and comes exactly
 * once, unless the owner has called stream_close() before: then no event follows. After on_close or
 * stream_close() the pointer is invalid.
 *
 * Calls made from inside an event only record what is wanted; bytes move after the handler has
 * returned.
 */
#ifndef LARDER_PROXY_STREAM_H
#define LARDER_PROXY_STREAM_H

#include "base/source.h"
#include "http/message.h"

struct stream;

enum stream_flow { STREAM_MORE, STREAM_PAUSE };

struct stream_events {
    /* The head's spans are valid during the call only. */
    void (*on_head)(void *owner, const struct http_head *head);
    /* Body bytes (framing removed). PAUSE stops further on_data until stream_resume(). */
    enum stream_flow (*on_data)(void *owner, struct span bytes);
    /* In a tunnel, while much comes: *sink is the stream to which its bytes may be sent at once, as
     * nothing waits before them; then on_data does not see them, and both streams count them. NULL:
     * there is none. PAUSE: something waits, and stream_resume() follows when it was sent. May be
     * NULL. */
    enum stream_flow (*sink)(void *owner, struct stream **sink);
    /* Trailers of the incoming message that may be forwarded (http/trailers.h). Comes before
     * on_end, also while paused. Valid during the call only. May be NULL. */
    void (*on_trailers)(void *owner, const struct http_fields *trailers);
    /* The incoming message is complete; it may come while paused. In a tunnel: the peer has closed
     * its direction. */
    void (*on_end)(void *owner);
    /* Asks for the trailers of the outgoing message, when its source has ended. Only called if its
     * length was not announced and the peer's version allows trailers. NULL: none; else they must
     * stay valid and unchanged until on_sent. May be NULL. */
    const struct http_fields *(*trailers)(void *owner);
    /* The outgoing message was handed to the transport; its source has ended and is no longer used.
     * May be NULL. */
    void (*on_sent)(void *owner);
    /* 0: both messages are complete. Else why not: ERR_CLOSED, ERR_TRUNCATED, ERR_SYNTAX,
     * ERR_TIMEOUT or a negative errno. The source, if any, was dropped. */
    void (*on_close)(void *owner, int err);
};

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
    /* Bytes of the messages so far, with heads and framing: for logs and counters. */
    uint64_t received;
    uint64_t sent;            /* handed to the transport, or about to be */
    uint64_t sent_from_files; /* those of `sent` that the kernel took from files (sendfile) */
};

static inline void stream_bind(struct stream *stream, const struct stream_events *events,
                               void *owner)
{
    stream->events = events;
    stream->owner = owner;
}

/* Server role: sends a 1xx head before the response. */
static inline void stream_send_interim(struct stream *stream, const struct http_head *head)
{
    stream->ops->send_interim(stream, head);
}

/* Sends the message; to be called once. `head` is serialised before this returns; `body` (NULL:
 * none) is pulled as the transport takes it, and dropped at its end. head->framing is BODY_LENGTH
 * with content_length, BODY_CHUNKED for an unknown length (the stream chooses what the peer's
 * version can), or BODY_NONE. A 2xx to CONNECT, or a 101, turns the stream into a tunnel. A request
 * that came by HTTP/2 with head->upgrade must not be answered with any other 2xx: it would be taken
 * for a 101 (RFC 8441). If the source ends early or fails, the connection is closed or the HTTP/2
 * stream reset; the message never seems complete. */
static inline void stream_send(struct stream *stream, const struct http_head *head,
                               struct source *body)
{
    stream->ops->send(stream, head, body);
}

static inline void stream_resume(struct stream *stream)
{
    stream->ops->resume(stream);
}

/* Gives up: drops the source, and closes the connection or resets the HTTP/2 stream. */
static inline void stream_close(struct stream *stream, int err)
{
    stream->ops->close(stream, err);
}

#endif
