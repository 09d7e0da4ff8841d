/*
 * What an HTTP/2 connection and its streams wait for, and for how long. Progress is noted by plain
 * stores of the time; while there are streams the notes are compared with the limits once a second.
 */
#include "proxy/stream/h2_conn.h"

#include "base/err.h"
#include "base/minmax.h"

#include <errno.h>

static bool is_late(const struct h2 *h2, uint64_t since, uint64_t limit)
{
    return limit && loop_now_ms(h2->loop) >= since + limit;
}

/* The same of what the peer should have said: what had come by then was read. */
static bool is_overdue(const struct h2 *h2, uint64_t since, uint64_t limit)
{
    return loop_read_ms(h2->loop) >= since + limit;
}

static uint64_t until(const struct h2 *h2, uint64_t since, uint64_t limit)
{
    uint64_t now = loop_now_ms(h2->loop), due = since + limit;

    return due > now ? due - now : 1;
}

static uint64_t next_look(const struct h2 *h2)
{
    uint64_t idle = h2->settings->times.idle_ms;

    if (h2->state == H2_FLUSH) {
        return H2_TICK_MS;
    }
    if (h2->state == H2_LINGER) {
        return until(h2, h2->since, H2_LINGER_MS);
    }
    if (h2->is_draining) {
        return h2->is_last_said ? H2_TICK_MS : until(h2, h2->drain_since, H2_NOTICE_MS);
    }
    if (h2->stream_count > 0 || h2->incoming || transport_queued(h2->transport) > 0) {
        return H2_TICK_MS;
    }
    if (!h2->is_slim) {
        return H2_TICK_MS;
    }
    return idle ? until(h2, h2->since, idle) : 0;
}

void h2_arm(struct h2 *h2)
{
    uint64_t ms = next_look(h2);
    bool is_earlier = h2->timeout.due == 0 || loop_now_ms(h2->loop) + ms < h2->timeout.due;

    if (ms == 0) {
        timeout_clear(&h2->timeout);
    } else if (is_earlier || h2->stream_count == 0) {
        timeout_set(h2->loop, &h2->timeout, ms);
    }
}

/* ---- the streams ---- */

static bool waits_for_response(const struct h2_stream *stream)
{
    return stream->in == H2_IN_HEAD && (stream->is_sent || stream->out == H2_OUT_DONE);
}

/* Does the peer take next to nothing although there is something to send, because its windows are
 * closed or opened only a byte now and then? A stream that only waits for its turn is not late. */
static bool is_window_late(struct h2 *h2, struct h2_stream *stream)
{
    bool is_tunnel = stream->out == H2_OUT_RAW;
    uint64_t limit = h2->settings->times.body_ms * (is_tunnel ? TUNNEL_PATIENCE : 1);
    bool has_more =
        (stream->out == H2_OUT_BODY || is_tunnel) && !stream->is_starved && !stream->is_sent;
    bool is_shut =
        has_more && nghttp2_session_get_stream_remote_window_size(h2->session, stream->id) <= 0;
    bool waits = is_shut || (has_more && nghttp2_session_get_remote_window_size(h2->session) <= 0);

    return pace_is_slow(&stream->pace, waits, stream->data_sent, loop_now_ms(h2->loop), limit) &&
           (is_shut || h2->is_slow);
}

static bool is_stream_late(struct h2 *h2, struct h2_stream *stream)
{
    const struct h1_limits_time *times = &h2->settings->times;

    if (is_window_late(h2, stream)) {
        return true;
    }
    if (h2_is_tunnel(stream)) {
        return is_late(h2, max_u64(stream->in_since, stream->out_since), times->tunnel_ms);
    }
    if (waits_for_response(stream)) {
        return is_late(h2, max_u64(stream->in_since, stream->out_since), times->first_byte_ms);
    }
    return stream->in == H2_IN_BODY && !stream->has_ended && !stream->is_paused &&
           !h2->is_stopped && buf_len(&stream->held) == 0 &&
           is_late(h2, stream->in_since, times->body_ms);
}

/* Sends no more requests on this connection; those in progress may still be answered. */
static void leave(struct h2 *h2)
{
    if (!h2->is_leaving) {
        h2->is_leaving = true;
        if (h2->events && h2->events->on_room) {
            h2->events->on_room(h2->owner);
        }
    }
}

static void look_at_streams(struct h2 *h2)
{
    list_each(link, &h2->streams)
    {
        struct h2_stream *stream = list_entry(link, struct h2_stream, link);
        if (!stream->is_over && !stream->is_mute && is_stream_late(h2, stream)) {
            if (h2->role == H2_CLIENT && h2_untouched(&stream->stream)) {
                leave(h2);
            }
            h2_reset(stream, NGHTTP2_CANCEL, ERR_TIMEOUT);
            h2_drop_source(stream); /* nghttp2 may report the end of the stream only much later */
            h2_say_closed(stream, ERR_TIMEOUT);
        }
    }
}

/* ---- client role: is the peer still there? ---- */

/* A broken path or a hanging peer is silent, and TCP may need many minutes to notice. While a
 * request waits in silence a PING is sent; whatever arrives counts as the answer. The intervals are
 * fractions of the time that a response may take; by default a PING is sent after 5 s of silence,
 * other connections are used 5 s later, and the connection is given up after 15 s. */
enum { SILENCE_PART = 12, DOUBT_PART = 12, DEATH_PART = 4, PATIENCE_MS = 60000 };

/* Some servers (those of gRPC) disconnect peers that send PINGs while no frames of messages are
 * exchanged. */
enum { PING_AGAIN_MS = 300000 };

static uint64_t part_of_patience(const struct h2 *h2, unsigned part)
{
    uint64_t first_byte = h2->settings->times.first_byte_ms;
    uint64_t ms = (first_byte ? first_byte : PATIENCE_MS) / part;

    return ms > H2_TICK_MS ? ms : H2_TICK_MS;
}

/* Was a PING sent, after which nothing has arrived? */
static bool awaits_answer(const struct h2 *h2)
{
    return h2->pinged_ms && h2->received == h2->pinged_received;
}

bool h2_is_in_doubt(const struct h2 *h2)
{
    return awaits_answer(h2) && is_overdue(h2, h2->pinged_ms, part_of_patience(h2, DOUBT_PART));
}

static void ping(struct h2 *h2)
{
    bool may = h2->pinged_ms == 0 || h2->has_told || is_late(h2, h2->pinged_ms, PING_AGAIN_MS);

    if (!awaits_answer(h2) && may) {
        nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
        h2->pinged_ms = loop_now_ms(h2->loop);
        h2->pinged_received = h2->received;
        h2->has_told = false;
    }
}

static bool is_silent(const struct h2 *h2, uint64_t since)
{
    return is_late(h2, max_u64(h2->heard_ms, since), part_of_patience(h2, SILENCE_PART));
}

void h2_greet(struct h2 *h2)
{
    if (is_silent(h2, 0)) {
        ping(h2);
    }
}

static bool waits_in_silence(const struct h2 *h2)
{
    list_each(link, &h2->streams)
    {
        const struct h2_stream *stream = list_entry(link, struct h2_stream, link);
        if (waits_for_response(stream) &&
            is_silent(h2, max_u64(stream->in_since, stream->out_since))) {
            return true;
        }
    }
    return false;
}

static void look_for_life(struct h2 *h2)
{
    if (!awaits_answer(h2)) {
        if (waits_in_silence(h2)) {
            ping(h2);
        }
    } else if (transport_queued(h2->transport) > 0) {
        /* the PING is queued behind bytes that the socket does not take */
        h2->pinged_ms = loop_now_ms(h2->loop);
    } else if (is_overdue(h2, h2->pinged_ms, part_of_patience(h2, DEATH_PART))) {
        h2_fail(h2, -ETIMEDOUT);
    } else if (h2_is_in_doubt(h2)) {
        leave(h2);
    }
}

/* ---- the connection ---- */

/* Does the peer take next to nothing of what is queued? */
static bool is_queue_late(struct h2 *h2)
{
    size_t queued = transport_queued(h2->transport);

    return pace_is_slow(&h2->queue_pace, queued > 0, h2->offered - queued, loop_now_ms(h2->loop),
                        h2->settings->times.body_ms);
}

static void look_at_window(struct h2 *h2)
{
    bool is_shut = nghttp2_session_get_remote_window_size(h2->session) <= 0;

    h2->is_slow = pace_is_slow(&h2->data_pace, is_shut, h2->data_sent, loop_now_ms(h2->loop),
                               h2->settings->times.body_ms);
}

static void say_last(struct h2 *h2)
{
    h2->is_last_said = true;
    nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
}

static void expire_open(struct h2 *h2)
{
    const struct h1_limits_time *times = &h2->settings->times;
    bool is_quiet =
        h2->stream_count == 0 && h2->incoming == NULL && transport_queued(h2->transport) == 0;

    if (is_queue_late(h2)) {
        h2_fail(h2, ERR_TIMEOUT);
    } else if (h2->incoming && !h2->is_stopped &&
               is_late(h2, h2->incoming->since, times->head_ms)) {
        say_last(h2);
        h2->is_deaf = true;
    } else if (h2->is_draining ? !h2->is_last_said && is_late(h2, h2->drain_since, H2_NOTICE_MS)
                               : is_quiet && is_late(h2, h2->since, times->idle_ms)) {
        say_last(h2);
    }
    if (h2->state == H2_OPEN && h2->stream_count > 0 && h2->role == H2_CLIENT) {
        look_for_life(h2);
    }
    if (h2->state == H2_OPEN && h2->stream_count > 0) {
        look_at_window(h2);
        look_at_streams(h2);
    }
    h2->may_rest = h2->state == H2_OPEN && is_quiet && is_late(h2, h2->since, H2_TICK_MS);
}

void h2_expire(struct h2 *h2)
{
    switch (h2->state) {
    case H2_OPEN:
        expire_open(h2);
        break;
    case H2_FLUSH:
        if (is_queue_late(h2)) {
            h2_fail(h2, ERR_TIMEOUT);
        }
        break;
    case H2_LINGER:
        if (is_late(h2, h2->since, H2_LINGER_MS)) {
            h2_fail(h2, ERR_CLOSED);
        }
        break;
    case H2_GONE:
        break;
    }
}
