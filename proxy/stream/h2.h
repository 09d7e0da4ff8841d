/*
 * h2 - HTTP/2 (RFC 9113) on a transport, both roles, behind stream.h; frames, compression and the
 * states of streams are nghttp2's, only the heads of responses are encoded here (http/hpack.h).
 *
 * Many streams at once; each is like one turn of h1. The peer's window for the connection is opened
 * again at once, that of a stream when its owner has taken the bytes: a stream that stands still
 * stops nobody but itself. What arrives for a paused stream is kept, at most one window of it.
 *
 * Responses of several streams leave together in one write. Which stream may send next is RFC
 * 9218's matter: urgency, then turns among the incremental ones.
 *
 * A peer that makes work without an aim (h2_guard.h) is told GOAWAY with a reason, and left.
 */
#ifndef LARDER_PROXY_STREAM_H2_H
#define LARDER_PROXY_STREAM_H2_H

#include "http/h1_parse.h"
#include "proxy/stream/h1.h"
#include "proxy/stream/h2_guard.h"

struct h2_settings {
    struct h1_limits limits;
    struct h1_limits_time times;
    uint32_t streams; /* server role: most concurrent streams; further ones are refused */
};

struct h2;

struct h2_events {
    /* Server role: a request begins. The callee binds the stream before returning; on_head follows
     * at once. */
    void (*on_stream)(void *owner, struct stream *stream);
    /* Server role: all requests that arrived in one read have begun, so work that was postponed
     * until then can be done. Also called when none has begun. May be NULL. */
    void (*on_begun)(void *owner);
    /* Server role: a request is too large (error->status 414 or 431) and is answered with that
     * status; or it is malformed (400), and its stream is reset. Otherwise as
     * h1_events.on_bad_head. May be NULL. */
    void (*on_bad_head)(void *owner, const struct h1_error *error, struct http_head *head,
                        struct buf *body);
    /* Server role: the connection has rested and needs its memory again; or it has no request in
     * progress but one of whose head a part is here and has to be kept. False: there is no room for
     * that, and the connection is closed. May be NULL. */
    bool (*may_keep)(void *owner);
    /* As h1_events.on_refused, but `size` is without the head of the answer, whose length is not
     * known so far. */
    void (*on_refused)(void *owner, const struct h1_error *error, size_t sent);
    /* The connection is being ended because of an offence of the peer. Called once, before on_gone.
     * `why`: nghttp2's description of the error if it has one, else "-"; it never contains anything
     * that the peer has sent. Valid during the call. May be NULL. */
    void (*on_offence)(void *owner, enum h2_offence offence, struct span why);
    /* We have reset a stream with INTERNAL_ERROR, because its outgoing message, which was no
     * tunnel, broke off. May be NULL. */
    void (*on_broken)(void *owner);
    /* Client role: the number of streams that may be opened has changed, see h2_room(). May be
     * NULL. */
    void (*on_room)(void *owner);
    /* The connection is closed, and freed after this call. Always the last event. */
    void (*on_gone)(void *owner);
};

/* Takes over the transport, and the bytes that were already read from it. `settings` must outlive
 * the connection. */
struct h2 *h2_serve(struct transport *transport, struct span received,
                    const struct h2_settings *settings, const struct h2_events *events,
                    void *owner);
/* `https`: the scheme of all requests. */
struct h2 *h2_connect(struct transport *transport, bool https, const struct h2_settings *settings,
                      const struct h2_events *events, void *owner);

/* Client role: how many streams may be opened now. 0 also if the peer has sent GOAWAY, or has been
 * silent for so long that it may be gone. */
size_t h2_room(const struct h2 *h2);
/* Client role, only if there is room: a stream for a request. Bind it, then call stream_send(). */
struct stream *h2_request(struct h2 *h2);
size_t h2_streams(const struct h2 *h2);
/* Has no stream been open since `before_ms` (loop milliseconds), and is no frame of one still
 * queued? */
bool h2_is_waiting(const struct h2 *h2, uint64_t before_ms);
/* Server role: are all open streams waiting only for the body of their request, which arrives more
 * slowly than pace.h allows? */
bool h2_is_slow(const struct h2 *h2);
/* Server role: has the client, for some seconds, taken less than pace.h allows of every response
 * that is not waiting for its request? */
bool h2_is_stalled(const struct h2 *h2);

/* Client role, valid until on_close returns. Has the origin said that it did not process this
 * request (REFUSED_STREAM, or a GOAWAY with a lower stream id: RFC 9113 8.7)? */
bool h2_refused(const struct stream *stream);
/* Has nothing at all arrived on this connection since the request was sent? */
bool h2_untouched(const struct stream *stream);
/* The connection of the stream; NULL: the stream is not of HTTP/2. */
struct h2 *h2_of_stream(const struct stream *stream);
void *h2_owner(const struct h2 *h2);

/* Accepts no further streams: sends GOAWAY twice (RFC 9113 6.8). The connection closes when the
 * open streams have ended. */
void h2_drain(struct h2 *h2);
/* Closes at once: calls on_close(err) for each stream, then on_gone. Not from inside an event of
 * the connection. */
void h2_abort(struct h2 *h2, int err);
/* Closes at once, without any event for the streams or the owner. Accepts NULL. */
void h2_close(struct h2 **h2);
struct transport *h2_transport(const struct h2 *h2);

#endif
