/*
 * The outgoing message: its head is decided and written when the owner sends it, its body is
 * pulled by the pump.
 */
#include "proxy/stream/h1_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "http/h1_write.h"

static struct h1_turn *turn_of(struct stream *stream)
{
    return container_of(stream, struct h1_turn, stream);
}

/* ---- heads ---- */

/* Takes what was written into the loop's output buffer from `start` on out again, and holds it: the
 * buffer is in use by the pump of another connection. */
static void hold_head(struct h1_turn *turn, struct buf *out, size_t start)
{
    struct pool *pool = loop_pool(turn->h1->loop);
    size_t len = buf_len(out) - start;
    char *held = pool_take(pool, turn->held_len + len);

    if (turn->held) {
        memcpy(held, turn->held, turn->held_len);
        pool_give(pool, turn->held, turn->held_len);
    }
    memcpy(held + turn->held_len, buf_span(out).at + start, len);
    turn->held = held;
    turn->held_len += len;
    out->end -= len;
}

void h1_release_held(struct h1_turn *turn)
{
    if (turn->held) {
        buf_append(loop_out(turn->h1->loop), span_of(turn->held, turn->held_len));
        pool_give(loop_pool(turn->h1->loop), turn->held, turn->held_len);
        turn->held = NULL;
        turn->held_len = 0;
    }
}

static void write_response(struct h1_turn *turn, const struct http_head *head)
{
    struct buf *out = loop_out(turn->h1->loop);
    size_t start = buf_len(out);

    h1_write_response(out, head, turn->version, turn->method);
    turn->stream.sent += buf_len(out) - start;
    if (!turn->h1->is_pumping) {
        hold_head(turn, out, start);
    }
}

static void write_request(struct h1_turn *turn, const struct http_head *head)
{
    struct buf *out = loop_out(turn->h1->loop);
    size_t start = buf_len(out);

    h1_write_request(out, head);
    turn->stream.sent += buf_len(out) - start;
    if (!turn->h1->is_pumping) {
        hold_head(turn, out, start);
    }
}

/* Are there bytes behind a request that might have become a tunnel? They must not be read as a
 * request. */
static bool has_input_behind(const struct h1 *h1)
{
    return h1->is_pumping ? h1->rest.len > 0 : buf_len(&h1->in) > 0;
}

/* Can the next request be found after this response (RFC 9112 9.3, RFC 9110 10.1.1)? */
static bool may_keep_alive(const struct h1_turn *turn)
{
    const struct h1 *h1 = turn->h1;

    if (!turn->is_keep_alive || h1->is_draining || turn->method == METHOD_CONNECT) {
        return false;
    }
    switch (turn->in) {
    case H1_IN_DONE:
        return true;
    case H1_IN_HOLD:
        return !has_input_behind(h1);
    case H1_IN_BODY:
        return !turn->awaits_continue &&
               (turn->body.framing != BODY_LENGTH || turn->body.left <= H1_DRAIN_MAX);
    case H1_IN_HEAD:
    case H1_IN_RAW:
    case H1_IN_DISCARD:
        break;
    }
    UNREACHABLE();
}

/* How the body of this response is framed for this client (RFC 9112 6.3). */
static enum http_framing response_framing(const struct h1_turn *turn, const struct http_head *head)
{
    if (turn->method == METHOD_HEAD || head->status == 204 || head->status == 304) {
        return BODY_NONE;
    }
    switch (head->framing) {
    case BODY_NONE:
    case BODY_LENGTH:
        return BODY_LENGTH;
    case BODY_STREAM:
        if (head->content_length >= 0) {
            return BODY_LENGTH;
        }
        break;
    case BODY_CHUNKED:
    case BODY_CLOSE:
        break;
    }
    return turn->version == HTTP_1_0 ? BODY_CLOSE : BODY_CHUNKED;
}

static void send_response(struct h1_turn *turn, const struct http_head *given,
                          struct source *source)
{
    struct http_head head = *given;

    head.framing = response_framing(turn, given);
    if (given->framing == BODY_NONE && head.framing == BODY_LENGTH) {
        head.content_length = 0;
    }
    turn->is_keep_alive = may_keep_alive(turn) && head.framing != BODY_CLOSE;
    head.keep_alive = turn->is_keep_alive;
    write_response(turn, &head);
    pull_init(&turn->pull, source, head.framing, head.content_length);
    turn->pull.trailers = turn->stream.events->trailers;
    turn->pull.trailers_arg = turn->stream.owner;
    if (turn->in == H1_IN_HOLD) {
        h1_set_in(turn, H1_IN_BODY);
    }
    h1_set_out(turn, H1_OUT_BODY);
}

static void send_switch(struct h1_turn *turn, const struct http_head *given, struct source *source)
{
    struct http_head head = *given;

    CHECK(turn->in == H1_IN_HOLD);
    head.upgrade = head.status == 101;
    write_response(turn, &head);
    pull_init(&turn->pull, source, BODY_CLOSE, -1);
    turn->is_tunnel = true;
    turn->is_keep_alive = false;
    h1_set_in(turn, H1_IN_RAW);
    h1_set_out(turn, H1_OUT_RAW);
}

static void send_request(struct h1_turn *turn, const struct http_head *given, struct source *source)
{
    struct http_head head = *given;
    bool is_bodiless = head.framing == BODY_NONE;

    head.keep_alive = true;
    head.upgrade = head.upgrade && is_bodiless;
    turn->method = head.method;
    turn->is_tunnel_wanted = head.upgrade || head.method == METHOD_CONNECT;
    if (!is_bodiless && head.framing != BODY_LENGTH) {
        bool is_known = head.framing == BODY_STREAM && head.content_length >= 0;
        head.framing = is_known ? BODY_LENGTH : BODY_CHUNKED;
    }
    write_request(turn, &head);
    pull_init(&turn->pull, source, turn->is_tunnel_wanted ? BODY_CLOSE : head.framing,
              head.content_length);
    turn->pull.trailers = turn->stream.events->trailers;
    turn->pull.trailers_arg = turn->stream.owner;
    h1_set_out(turn, turn->is_tunnel_wanted ? H1_OUT_HOLD : H1_OUT_BODY);
}

static void send_raw(struct h1_turn *turn, struct source *source)
{
    pull_init(&turn->pull, source, BODY_CLOSE, -1);
    h1_set_out(turn, H1_OUT_RAW);
}

/* ---- called by the owner: only records what is wanted ---- */

static void on_wake(void *arg)
{
    struct h1_turn *turn = arg;

    turn->is_starved = false;
    h1_kick(turn->h1);
}

static void op_send(struct stream *stream, const struct http_head *head, struct source *source)
{
    struct h1_turn *turn = turn_of(stream);
    struct h1 *h1 = turn->h1;
    bool is_switch =
        h1->role == H1_SERVER &&
        (head->status == 101 || (turn->method == METHOD_CONNECT && head->status / 100 == 2));

    CHECK(turn->out == H1_OUT_WAIT && !turn->is_detached);
    if (source) {
        source_on_wake(source, on_wake, turn);
    }
    turn->out_since = loop_now_ms(h1->loop);
    if (is_switch) {
        send_switch(turn, head, source);
    } else if (h1->role == H1_SERVER) {
        CHECK(head->status >= 200);
        send_response(turn, head, source);
    } else if (h1->role == H1_CLIENT) {
        send_request(turn, head, source);
    } else {
        send_raw(turn, source);
    }
    h1_kick(h1);
}

/* Does the client get this interim head? The sender of such heads cannot be made to wait, so they
 * would pile up before a client that reads nothing. That client gets only the one that it waits
 * for. */
static bool takes_interim(const struct h1_turn *turn, const struct http_head *head)
{
    const struct h1 *h1 = turn->h1;

    if (turn->version == HTTP_1_0 || h1->state != H1_OPEN) {
        return false; /* RFC 9110 15.2: HTTP/1.0 has no interim responses */
    }
    bool has_room = turn->held_len < PULL_CORK_MAX && transport_queued(h1->transport) == 0;
    return has_room || (head->status == 100 && turn->awaits_continue);
}

static void op_send_interim(struct stream *stream, const struct http_head *head)
{
    struct h1_turn *turn = turn_of(stream);

    CHECK(turn->h1->role == H1_SERVER && turn->out == H1_OUT_WAIT);
    CHECK(head->status >= 100 && head->status < 200 && head->status != 101);
    if (!takes_interim(turn, head)) {
        return;
    }
    if (head->status == 100) {
        turn->awaits_continue = false;
        turn->in_since = loop_now_ms(turn->h1->loop);
        pace_in_begin(&turn->in_pace, turn->in_since);
    }
    write_response(turn, head);
    h1_kick(turn->h1);
}

static void op_resume(struct stream *stream)
{
    struct h1_turn *turn = turn_of(stream);

    if (turn->is_paused) {
        turn->is_paused = false;
        turn->in_since = loop_now_ms(turn->h1->loop);
        pace_in_begin(&turn->in_pace, turn->in_since);
        h1_kick(turn->h1);
    }
}

static void op_close(struct stream *stream, int err)
{
    struct h1_turn *turn = turn_of(stream);

    turn->is_detached = true;
    h1_cut(turn->h1);
    h1_kick(turn->h1);
}

const struct stream_ops h1_stream_ops = {
    .send_interim = op_send_interim,
    .send = op_send,
    .resume = op_resume,
    .close = op_close,
};

/* ---- bodies ---- */

void h1_finish_out(struct h1_turn *turn)
{
    struct h1 *h1 = turn->h1;
    bool is_raw = turn->out == H1_OUT_RAW;

    pull_drop(&turn->pull);
    turn->out_since = loop_now_ms(h1->loop);
    h1_set_out(turn, H1_OUT_DONE);
    if (is_raw) {
        int err = h1_flush(h1);
        if (err) {
            h1_write_failed(h1, err);
            return;
        }
        transport_shutdown(h1->transport);
    }
    if (!turn->is_detached && turn->stream.events->on_sent) {
        turn->stream.events->on_sent(turn->stream.owner);
    }
}

static bool can_pull(const struct h1 *h1, const struct h1_turn *turn)
{
    return turn && (turn->out == H1_OUT_BODY || turn->out == H1_OUT_RAW) && !turn->is_starved &&
           transport_queued(h1->transport) == 0;
}

bool h1_step_out(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;
    bool broken_transport;

    if (!can_pull(h1, turn)) {
        return false;
    }
    uint64_t before = turn->pull.moved;
    int result = pull_run(&turn->pull, h1->transport, loop_out(h1->loop), &broken_transport);
    turn->stream.sent += turn->pull.moved - before;
    turn->stream.sent_from_files = turn->pull.from_file;
    if (turn->pull.moved != before || result == PULL_BLOCKED) { /* nothing waited before that */
        turn->out_since = loop_now_ms(h1->loop);
        turn->out_seen = transport_queued(h1->transport);
    }
    switch (result) {
    case PULL_WAIT:
        turn->is_starved = true;
        return false;
    case PULL_BLOCKED:
        return false;
    case PULL_SPENT:
        h1->is_kicked = true;
        return false;
    case PULL_END:
        h1_finish_out(turn);
        return true;
    default:
        break;
    }
    if (broken_transport) {
        h1_write_failed(h1, result);
    } else {
        h1_fail(h1, result);
    }
    return true;
}
