/*
 * The pump of an HTTP/2 connection: from h2_enter() to h2_leave().
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"

/* ---- the streams ---- */

/* The error with which a closed stream ends for its owner, or 0. */
static int end_of(const struct h2_stream *stream)
{
    if (stream->err) {
        return stream->err;
    }
    bool is_answered =
        stream->h2->role == H2_SERVER ? stream->out == H2_OUT_DONE : stream->in == H2_IN_DONE;

    if (is_answered && !h2_is_tunnel(stream)) {
        return 0;
    }
    return stream->h2->role == H2_CLIENT && stream->in == H2_IN_BODY ? ERR_TRUNCATED : ERR_CLOSED;
}

/* The last frame was sent. The rest of a request is not needed any more (RFC 9113 8.1). */
static void finish_out(struct h2_stream *stream)
{
    struct h2 *h2 = stream->h2;
    bool is_tunnel = stream->out == H2_OUT_RAW;

    h2_drop_source(stream);
    h2_set_out(stream, H2_OUT_DONE);
    if (!stream->is_detached && stream->stream.events->on_sent) {
        stream->stream.events->on_sent(stream->stream.owner);
    }
    if (h2->role == H2_SERVER && !is_tunnel && !stream->has_ended) {
        h2_reset(stream, NGHTTP2_NO_ERROR, 0);
    }
}

/* Are there held bytes that the owner can still take? Not if the peer has reset the stream before
 * its end. */
static bool awaits_owner(const struct h2_stream *stream)
{
    bool is_whole =
        stream->code == NGHTTP2_NO_ERROR || (stream->h2->role == H2_CLIENT && stream->has_ended);

    return is_whole && stream->err == 0 && !stream->is_detached && buf_len(&stream->held) > 0;
}

/* Works off a ready stream. True: something happened. */
static bool settle(struct h2_stream *stream)
{
    if (h2_in_deliver(stream)) {
        h2_make_ready(stream);
        return true;
    }
    bool is_out = stream->out == H2_OUT_BODY || stream->out == H2_OUT_RAW;
    if (stream->is_sent && is_out) {
        finish_out(stream);
        h2_make_ready(stream);
        return true;
    }
    if (!stream->is_over || awaits_owner(stream)) {
        return false;
    }
    struct h2 *h2 = stream->h2;
    h2_drop_source(stream);
    h2_say_closed(stream, end_of(stream));
    h2_stream_free(stream);
    if (h2->role == H2_CLIENT && h2->events && h2->events->on_room) {
        h2->events->on_room(h2->owner);
    }
    return true;
}

static bool settle_all(struct h2 *h2)
{
    struct loop *loop = h2->loop;
    bool any = false;

    loop_clock_hold(loop);
    for (struct list *link; h2->state == H2_OPEN && (link = list_pop_front(&h2->ready));) {
        any |= settle(list_entry(link, struct h2_stream, ready));
    }
    loop_clock_go(loop);
    return any;
}

/* ---- frames out ---- */

/* Makes frames until the batch, the budget or the socket is full. True: there were some. */
static bool send_frames(struct h2 *h2)
{
    bool any = false;

    while (transport_queued(h2->transport) == 0 && h2->write_err == 0) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(h2->session, &bytes);
        if (n < 0) {
            h2->write_err = h2->write_err ? h2->write_err : ERR_CLOSED;
            break;
        }
        if (n == 0) {
            break;
        }
        any = true;
        if (h2->gather->count + 1 >= H2_PIECES && !h2_flush(h2)) {
            break;
        }
        h2_heads_gather(h2, span_of((const char *)bytes, (size_t)n));
        if (h2->gather->bytes >= h2->batch) {
            h2_flush(h2);
        }
    }
    return any;
}

/* ---- frames in ---- */

/* Feeds nghttp2. Returns how many bytes it has consumed: all, unless on_field() has paused it. */
static size_t feed(struct h2 *h2, struct span bytes)
{
    h2->has_taken = false;
    h2->has_paused = false;
    loop_clock_hold(h2->loop);
    ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.at, bytes.len);
    loop_clock_go(h2->loop);
    if (h2->is_deaf || h2->state != H2_OPEN) {
        return bytes.len;
    }
    if (n >= 0) {
        return (size_t)n;
    }
    if (n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
        enum h2_offence offence =
            n == NGHTTP2_ERR_FLOODED ? H2_OFFENCE_PINGS : H2_OFFENCE_CONTINUATIONS;
        h2_offend(h2, offence, NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
        h2->why = nghttp2_strerror((int)n);
        h2_offend(h2, H2_OFFENCE_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
    }
    return bytes.len;
}

void h2_count_early(struct h2 *h2)
{
    if (h2->early.cap != h2->early_counted) {
        memory_take(MEMORY_BUFFERS, h2->early.cap);
        memory_give(MEMORY_BUFFERS, h2->early_counted);
        h2->early_counted = h2->early.cap;
    }
}

/* Has nghttp2 something left to process? It may have paused at the end of the bytes, but before the
 * end of a frame. */
static bool has_rest(const struct h2 *h2)
{
    return h2->has_paused || buf_len(&h2->early) > 0;
}

void h2_feed(struct h2 *h2, struct span bytes)
{
    h2->received += bytes.len;
    h2->heard_ms = loop_now_ms(h2->loop);
    if (h2->state != H2_OPEN || h2->is_deaf || bytes.len == 0) {
        return;
    }
    size_t n = has_rest(h2) ? 0 : feed(h2, bytes);
    if (n < bytes.len) {
        buf_append(&h2->early, span_skip(bytes, n));
        h2_count_early(h2);
    }
}

/* Is more queued than allowed, and does the peer not take it, or has this run of the pump used up
 * its budget? */
static bool is_clogged(const struct h2 *h2)
{
    return h2->held > H2_MEMORY_FULL && (transport_queued(h2->transport) > 0 || h2->budget == 0);
}

/* Feeds bytes that arrived before the connection was handed over, or that were kept because enough
 * was queued. True: something was fed. */
static bool feed_early(struct h2 *h2)
{
    if (!has_rest(h2) || h2->state != H2_OPEN || h2->is_deaf || is_clogged(h2)) {
        return false;
    }
    buf_consume(&h2->early, feed(h2, buf_span(&h2->early)));
    if (buf_len(&h2->early) == 0) {
        buf_fini(&h2->early);
        h2_count_early(h2);
    }
    return true;
}

/* ---- the pump ---- */

void h2_enter(struct h2 *h2)
{
    CHECK(!h2->is_pumping);
    CHECK(buf_len(loop_out(h2->loop)) == 0);
    h2->is_pumping = true;
    h2->budget = H2_BUDGET;
    timeout_clear(&h2->kick);
    h2_memory_fatten(h2);
    if (h2->held <= H2_MEMORY_FULL) { /* otherwise queued frames have to leave first */
        feed_early(h2);
    }
}

static void tell_begun(struct h2 *h2)
{
    if (h2->events && h2->events->on_begun) {
        h2->events->on_begun(h2->owner);
    }
}

static void run(struct h2 *h2)
{
    bool any = true;

    while (any && h2->state == H2_OPEN && !h2->is_deaf) {
        tell_begun(h2);
        any = settle_all(h2);
        if (h2->state == H2_OPEN && !h2->is_deaf) {
            any |= send_frames(h2);
            if (!h2_flush(h2)) {
                h2_fail(h2, h2->write_err);
            }
            any |= !list_empty(&h2->ready); /* send_frames() does not report DATA frames */
        }
    }
}

/* Resumes reading. The time without reading does not count against the peer. */
static void go_on(struct h2 *h2)
{
    uint64_t now = loop_now_ms(h2->loop);

    list_each(link, &h2->streams)
    {
        list_entry(link, struct h2_stream, link)->in_since = now;
    }
    if (h2->incoming) {
        h2->incoming->since = now;
    }
    transport_read_start(h2->transport);
}

/* Stops reading from a client that does not take its responses; resumes later. */
static void stop_or_go(struct h2 *h2)
{
    bool stops = h2->state == H2_OPEN && h2->role == H2_SERVER && (has_rest(h2) || is_clogged(h2));

    if (stops == h2->is_stopped) {
        return;
    }
    h2->is_stopped = stops;
    if (stops) {
        transport_read_stop(h2->transport);
    } else {
        go_on(h2);
    }
}

static bool is_too_much(const struct h2 *h2)
{
    return h2->held > H2_MEMORY_TIGHT && (h2->held > H2_MEMORY_MAX || memory_is_tight());
}

static bool is_finished(const struct h2 *h2)
{
    bool leaves = h2->role == H2_CLIENT && (h2->is_leaving || h2->is_draining);
    bool is_drained = h2->stream_count == 0 && (h2->is_last_said || leaves);
    bool is_done = h2->stream_count == 0 && !nghttp2_session_want_read(h2->session) &&
                   !nghttp2_session_want_write(h2->session);

    return h2->is_deaf || is_drained || is_done;
}

/* Sends the last frames, then FIN. */
static void flush_last(struct h2 *h2)
{
    send_frames(h2);
    if (!h2_flush(h2)) {
        h2_fail(h2, h2->write_err);
        return;
    }
    if (transport_queued(h2->transport) > 0) {
        return;
    }
    transport_shutdown(h2->transport);
    h2->since = loop_now_ms(h2->loop);
    h2_set_state(h2, H2_LINGER);
}

void h2_leave(struct h2 *h2)
{
    struct h2_gather gather;

    gather.count = 0;
    gather.bytes = 0;
    h2->gather = &gather;
    do {
        run(h2);
    } while (feed_early(h2));
    if (h2->state == H2_OPEN && h2->role == H2_SERVER && is_too_much(h2)) {
        h2_offend(h2, H2_OFFENCE_MEMORY, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    if (h2->state == H2_OPEN && is_finished(h2)) {
        h2_conclude(h2);
    }
    if (h2->state == H2_FLUSH) {
        flush_last(h2);
    }
    buf_clear(loop_out(h2->loop));
    h2->gather = NULL;
    h2->is_pumping = false;
    if (h2->state == H2_GONE) {
        h2_gone(h2);
        return;
    }
    if (h2->budget == 0 && transport_queued(h2->transport) == 0) {
        h2_kick(h2);
    }
    if (h2->may_rest && h2->state == H2_OPEN && h2->stream_count == 0) {
        h2_memory_slim(h2); /* from here on nghttp2 must not be called */
    }
    h2->may_rest = false;
    stop_or_go(h2);
    h2_arm(h2);
}

void h2_kick(struct h2 *h2)
{
    if (!h2->is_pumping) {
        timeout_set(h2->loop, &h2->kick, 0);
    }
}
