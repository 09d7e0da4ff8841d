/*
 * The pump of an HTTP/1 connection: from one turn to the next, and from h1_enter() to h1_leave().
 * The messages themselves: h1_in.c and h1_out.c.
 */
#include "proxy/stream/h1_conn.h"

#include "base/check.h"

/* ---- between the turns ---- */

/* Server role: serves the next request, or closes. A peer that may be sending a request already
 * must still be able to read this response (RFC 9112 9.6). */
static void after_answer(struct h1 *h1, bool is_keep_alive, bool peer_may_send)
{
    if (!is_keep_alive || h1->is_draining) {
        h1_conclude(h1, peer_may_send || h1->rest.len > 0);
    }
}

/* Client role: the connection is free for another request, or closed. */
static void after_response(struct h1 *h1, bool is_reusable)
{
    if (is_reusable && !h1->is_cut && !h1->is_eof && h1->rest.len == 0) {
        h1->events->on_idle(h1->owner);
    } else {
        h1_cut(h1);
    }
}

/* What there is for the peer to take, by which h1_is_stalled() judges later. */
static void note_queued(struct h1 *h1)
{
    *(h1->turn ? &h1->turn->out_seen : &h1->left) = transport_queued(h1->transport);
}

/* Ends a turn whose messages are complete, or as complete as they need to be. */
static void complete(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;
    bool is_tunnel = turn->is_tunnel;
    bool is_keep_alive = turn->is_keep_alive;
    bool is_sent = turn->out == H1_OUT_DONE;
    bool peer_may_send = turn->in != H1_IN_DONE || turn->peer_persists;

    if (!is_sent) {
        h1_cut(h1); /* client role: the response came before the request was complete */
    }
    h1_end_turn(h1, 0);
    if (h1->state != H1_OPEN) {
        return;
    }
    note_queued(h1);
    if (is_tunnel) {
        h1_conclude(h1, false);
    } else if (h1->role == H1_SERVER) {
        after_answer(h1, is_keep_alive, peer_may_send);
    } else {
        after_response(h1, is_keep_alive);
    }
}

/* Is it a tunnel whose peer has not taken the last bytes? Only its owner can still end it then: a
 * tunnel owns its connection itself, and nobody else knows of that. */
static bool awaits_peer(const struct h1 *h1, const struct h1_turn *turn)
{
    return turn->is_tunnel && transport_queued(h1->transport) > 0;
}

/* Ends the turn if nothing is left to do. */
static bool step_end(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;

    if (!turn) {
        return false;
    }
    bool is_answered = turn->out == H1_OUT_DONE;
    if (h1->role == H1_CLIENT && !turn->is_tunnel) {
        is_answered = turn->in == H1_IN_DONE;
    }
    if (!is_answered) {
        return false;
    }
    if (turn->in == H1_IN_BODY) {
        h1_say_closed(turn, 0); /* nobody wants the rest of the request */
        if (h1->state == H1_OPEN && turn->is_keep_alive) {
            h1_set_in(turn, H1_IN_DISCARD);
            turn->in_since = loop_now_ms(h1->loop);
        } else if (h1->state == H1_OPEN) {
            complete(h1);
        }
        return true;
    }
    if (turn->in != H1_IN_DONE || awaits_peer(h1, turn)) {
        return false;
    }
    complete(h1);
    return true;
}

/* ---- the pump ---- */

int h1_flush(struct h1 *h1)
{
    struct buf *out = loop_out(h1->loop);
    struct span span = buf_span(out);

    if (!span.len) {
        return 0;
    }
    ssize_t n = transport_write(h1->transport, &span, 1, false);
    buf_clear(out);
    note_queued(h1);
    return n < 0 ? (int)n : 0;
}

void h1_write_failed(struct h1 *h1, int err)
{
    struct h1_turn *turn = h1->turn;
    bool may_be_answered = h1->role == H1_CLIENT && turn && !turn->is_tunnel;

    buf_clear(loop_out(h1->loop));
    if (!may_be_answered || h1->is_cut) {
        h1_fail(h1, err);
        return;
    }
    h1->is_cut = true; /* an answer may have come before the peer stopped reading (413) */
    pull_drop(&turn->pull);
    if (turn->out != H1_OUT_DONE) {
        h1_set_out(turn, H1_OUT_DONE);
        turn->out_since = loop_now_ms(h1->loop);
    }
}

void h1_enter(struct h1 *h1)
{
    CHECK(!h1->is_pumping);
    CHECK(buf_len(loop_out(h1->loop)) == 0);
    h1->is_pumping = true;
    h1->is_kicked = false;
    h1->begun = 0;
    h1->rest = buf_span(&h1->in);
    if (h1->turn && h1->transport) {
        h1_release_held(h1->turn);
    }
}

/* Keeps the input that was not parsed; an idle connection has none. */
static void keep_rest(struct h1 *h1)
{
    if (h1->state != H1_OPEN) {
        buf_fini(&h1->in);
    } else if (buf_len(&h1->in) > 0) {
        buf_consume(&h1->in, buf_len(&h1->in) - h1->rest.len);
        buf_release(&h1->in);
    } else {
        buf_append(&h1->in, h1->rest);
    }
    h1_count_input(h1);
    h1->rest = SPAN_EMPTY;
}

/* Is the socket to be read? It is as long as somebody takes the bytes; and, while nothing is
 * buffered, to notice that the peer has left. */
static bool wants_input(const struct h1 *h1)
{
    const struct h1_turn *turn = h1->turn;

    if (h1->is_eof || h1->state == H1_FLUSH) {
        return false;
    }
    if (h1->state == H1_LINGER) {
        return true;
    }
    if (!turn) {
        return buf_len(&h1->in) == 0 || (!h1->is_kicked && transport_queued(h1->transport) == 0);
    }
    switch (turn->in) {
    case H1_IN_HEAD:
    case H1_IN_DISCARD:
        return true;
    case H1_IN_BODY:
    case H1_IN_RAW:
        return !turn->is_paused;
    case H1_IN_HOLD:
    case H1_IN_DONE:
        return buf_len(&h1->in) == 0;
    }
    UNREACHABLE();
}

void h1_set_reading(struct h1 *h1)
{
    if (wants_input(h1)) {
        transport_watch(h1->transport, h1_wants_splice(h1));
        transport_read_start(h1->transport);
    } else {
        transport_read_stop(h1->transport);
    }
}

/* Remembers when a head began to arrive: its time runs from its first byte. */
static void note_partial(struct h1 *h1)
{
    bool is_partial =
        !h1->turn && h1->rest.len > 0 && h1->transport && transport_queued(h1->transport) == 0;

    if (is_partial && !h1->is_partial) {
        h1->since = loop_now_ms(h1->loop);
    }
    h1->is_partial = is_partial;
}

/* Everything was written: closes now, or waits until the peer has read it. */
static void close_flushed(struct h1 *h1)
{
    if (transport_queued(h1->transport) > 0) {
        return;
    }
    if (!h1->lingers) {
        h1_cut(h1);
        return;
    }
    transport_shutdown(h1->transport);
    h1->since = loop_now_ms(h1->loop);
    h1_set_state(h1, H1_LINGER);
}

/* Hands the transport, and what was read from it, over to HTTP/2. */
static void hand_over(struct h1 *h1)
{
    const struct h1_events *events = h1->events;
    void *owner = h1->owner;
    struct transport *transport = h1->transport;
    struct buf received = h1->in;

    if (buf_len(&received) == 0) {
        buf_append(&received, h1->rest);
    }
    h1->in = BUF_INIT;
    h1->transport = NULL;
    h1_free(h1);
    transport_read_stop(transport);
    events->on_preface(owner, transport, buf_span(&received));
    buf_fini(&received);
}

void h1_leave(struct h1 *h1)
{
    while (h1->state == H1_OPEN && (h1_step_in(h1) || h1_step_out(h1) || step_end(h1))) {
    }
    if (h1->state == H1_OPEN || h1->state == H1_FLUSH) {
        int err = h1_flush(h1);
        if (err) {
            h1_write_failed(h1, err);
        }
    }
    if (h1->state == H1_FLUSH) {
        close_flushed(h1);
    }
    if (h1->is_h2 && h1->transport) {
        hand_over(h1);
        return;
    }
    note_partial(h1);
    keep_rest(h1);
    h1->is_pumping = false;
    if (h1->state != H1_GONE) {
        h1_set_reading(h1);
        h1_arm(h1);
        return;
    }
    const struct h1_events *events = h1->events;
    void *owner = h1->owner;
    h1_free(h1);
    if (events) {
        events->on_gone(owner);
    }
}

void h1_kick(struct h1 *h1)
{
    if (!h1->is_pumping) { /* otherwise its steps are not finished */
        timeout_set(h1->loop, &h1->timeout, 0);
    }
}
