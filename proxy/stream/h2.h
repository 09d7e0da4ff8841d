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
    uint32_t streams; /* server role: at once; more are refused */
};

struct h2;

struct h2_events {
    /* Server role: a request begins. The callee binds the stream before returning; on_head follows
     * at once. */
    void (*on_stream)(void *owner, struct stream *stream);
    /* Server role: every request that came in one read has begun, so what was put off until then
     * can be done. Also called without any. May be NULL. */
    void (*on_begun)(void *owner);
    /* Server role: a request is too large (error->status 414 or 431) and is answered with that; or
     * malformed (400), and its stream reset. As h1_events.on_bad_head. May be NULL. */
    void (*on_bad_head)(void *owner, const struct h1_error *error, struct http_head *head,
                        struct buf *body);
    /* As h1_events.on_refused, but for the answer's head, whose length is not known yet. */
    void (*on_refused)(void *owner, const struct h1_error *error, size_t sent);
    /* The peer is told to go because of this; once, before on_gone. `why`: what exactly was wrong,
     * where nghttp2 has words for it, else "-"; never anything the peer has sent. Valid during the
     * call. May be NULL. */
    void (*on_offence)(void *owner, enum h2_offence offence, struct span why);
    /* A stream was reset by us with INTERNAL_ERROR: what was to be sent on it, of no tunnel, broke
     * off. May be NULL. */
    void (*on_broken)(void *owner);
    /* Client role: it can carry more streams than before, or fewer: h2_room() says. May be NULL. */
    void (*on_room)(void *owner);
    /* The connection is gone and freed after this call. Always the last event. */
    void (*on_gone)(void *owner);
};

/* Takes over the transport, and what has been read from it already. `settings` must outlive the
 * connection. */
struct h2 *h2_serve(struct transport *transport, struct span received,
                    const struct h2_settings *settings, const struct h2_events *events,
                    void *owner);
/* `https`: the scheme of what is asked for. */
struct h2 *h2_connect(struct transport *transport, bool https, const struct h2_settings *settings,
                      const struct h2_events *events, void *owner);

/* Client role: how many streams may be opened now; 0 when the peer has said GOAWAY, too, or is
 * silent for so long that nobody may be there. */
size_t h2_room(const struct h2 *h2);
/* Client role, with room: the stream for a request; bind it, then stream_send(). */
struct stream *h2_request(struct h2 *h2);
size_t h2_streams(const struct h2 *h2);
/* Since before that (loop milliseconds) no stream is open, nor is anything of one on its way out.
 */
bool h2_is_waiting(const struct h2 *h2, uint64_t before_ms);
/* Server role: there are streams, and for none of them anything but its request's body is waited
 * for, which comes next to not at all (pace.h). */
bool h2_is_slow(const struct h2 *h2);
/* Server role: there are streams, and for seconds the client has taken next to nothing of any that
 * is not slow like that (pace.h). */
bool h2_is_stalled(const struct h2 *h2);

/* Client role, valid until on_close returns. The origin has said that it did not begin with this
 * request (REFUSED_STREAM, or a GOAWAY that leaves it out: RFC 9113 8.7). */
bool h2_refused(const struct stream *stream);
/* It has not said anything at all on this connection since the request was sent. */
bool h2_untouched(const struct stream *stream);
/* The connection of a stream of this protocol; NULL for any other stream. */
struct h2 *h2_of_stream(const struct stream *stream);
void *h2_owner(const struct h2 *h2);

/* No further streams: GOAWAY twice (RFC 9113 6.8); those under way finish, then it closes. */
void h2_drain(struct h2 *h2);
/* Closes at once: on_close(err) of each stream, then on_gone. Not from inside an event of its own.
 */
void h2_abort(struct h2 *h2, int err);
/* Closes at once; streams get no event, on_gone is not called. Accepts NULL. */
void h2_close(struct h2 **h2);
struct transport *h2_transport(const struct h2 *h2);

#endif
