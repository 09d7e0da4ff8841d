/*
 * The life of an HTTP/1 connection and its pump. The messages themselves: h1_in.c and h1_out.c.
 */
#include "proxy/stream/h1_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

/* ---- states ---- */

void h1_set_state(struct h1 *h1, enum h1_state next)
{
#define X(name, legal) legal,
    static const unsigned legal_next[] = {H1_STATES(X)};
#undef X
    CHECK(legal_next[h1->state] & H1_BIT(next));
    h1->state = next;
}

void h1_set_in(struct h1_turn *turn, enum h1_in next)
{
#define X(name, legal) legal,
    static const unsigned legal_next[] = {H1_IN_STATES(X)};
#undef X
    CHECK(legal_next[turn->in] & H1_BIT(next));
    turn->in = next;
}

void h1_set_out(struct h1_turn *turn, enum h1_out next)
{
#define X(name, legal) legal,
    static const unsigned legal_next[] = {H1_OUT_STATES(X)};
#undef X
    CHECK(legal_next[turn->out] & H1_BIT(next));
    turn->out = next;
}

/* ---- turns ---- */

struct h1_turn *h1_turn_new(struct h1 *h1, enum h1_in in)
{
    struct h1_turn *turn = pool_take(loop_pool(h1->loop), sizeof(*turn));
    uint64_t now = loop_now_ms(h1->loop);

    CHECK(!h1->turn);
    *turn = (struct h1_turn){
        .stream.ops = &h1_stream_ops,
        .h1 = h1,
        .in = in,
        .out = H1_OUT_WAIT,
        .in_since = now,
        .out_since = now,
    };
    h1->turn = turn;
    return turn;
}

static void turn_free(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;

    h1->turn = NULL;
    if (turn) {
        CHECK(!turn->pull.lent);
        pull_drop(&turn->pull);
        pool_give(loop_pool(h1->loop), turn->held, turn->held_len);
        pool_give(loop_pool(h1->loop), turn, sizeof(*turn));
    }
}

static void say_closed(struct h1_turn *turn, int err)
{
    if (!turn->is_detached) {
        turn->is_detached = true;
        turn->stream.events->on_close(turn->stream.owner, err);
    }
}

void h1_end_turn(struct h1 *h1, int err)
{
    pull_drop(&h1->turn->pull);
    say_closed(h1->turn, err);
    turn_free(h1);
    h1->since = loop_now_ms(h1->loop);
    h1->is_partial = false;
}

/* ---- the end ---- */

/* A message that ends with its connection must not look complete when it is not. */
static bool close_would_lie(const struct h1 *h1)
{
    const struct h1_turn *turn = h1->turn;

    if (!turn || turn->out == H1_OUT_DONE) {
        return false;
    }
    return turn->out == H1_OUT_RAW ||
           (turn->out == H1_OUT_BODY && turn->pull.framing == BODY_CLOSE);
}

void h1_cut(struct h1 *h1)
{
    if (h1->state == H1_GONE) {
        return;
    }
    if (h1->is_pumping) {
        h1_flush(h1);
    }
    transport_close(&h1->transport, close_would_lie(h1));
    if (h1->turn) {
        pull_drop(&h1->turn->pull);
    }
    h1_set_state(h1, H1_GONE);
}

void h1_fail(struct h1 *h1, int err)
{
    h1_cut(h1);
    if (h1->turn) {
        say_closed(h1->turn, err);
    }
}

void h1_conclude(struct h1 *h1, bool linger)
{
    h1->lingers = linger && !h1->is_eof;
    h1->since = loop_now_ms(h1->loop);
    h1_set_state(h1, H1_FLUSH);
}

/* All has been written: close now, or wait for the peer to have read it. */
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

static void h1_free(struct h1 *h1)
{
    turn_free(h1);
    timeout_clear(&h1->timeout);
    buf_fini(&h1->in);
    free(h1);
}

/* ---- between the turns ---- */

/* Server role: serve the next request, or close. A peer that may be sending one already must be
 * able to read this answer all the same (RFC 9112 9.6). */
static void after_answer(struct h1 *h1, bool is_keep_alive, bool peer_may_send)
{
    if (!is_keep_alive || h1->is_draining) {
        h1_conclude(h1, peer_may_send || h1->rest.len > 0);
    }
}

/* Client role: fit for another request, or of no more use. */
static void after_response(struct h1 *h1, bool is_reusable)
{
    if (is_reusable && !h1->is_cut && !h1->is_eof && h1->rest.len == 0) {
        h1->events->on_idle(h1->owner);
    } else {
        h1_cut(h1);
    }
}

/* Both messages are complete, or as complete as they need be. */
static void complete(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;
    bool is_tunnel = turn->is_tunnel;
    bool is_keep_alive = turn->is_keep_alive;
    bool is_sent = turn->out == H1_OUT_DONE;
    bool peer_may_send = turn->in != H1_IN_DONE || turn->peer_persists;

    if (!is_sent) {
        h1_cut(h1); /* client role: the answer came before the request was complete */
    }
    h1_end_turn(h1, 0);
    if (h1->state != H1_OPEN) {
        return;
    }
    if (is_tunnel) {
        h1_conclude(h1, false);
    } else if (h1->role == H1_SERVER) {
        after_answer(h1, is_keep_alive, peer_may_send);
    } else {
        after_response(h1, is_keep_alive);
    }
}

/* Ends the turn when nothing is left of it. */
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
        say_closed(turn, 0); /* nobody wants the rest of the request */
        if (h1->state == H1_OPEN && turn->is_keep_alive) {
            h1_set_in(turn, H1_IN_DISCARD);
            turn->in_since = loop_now_ms(h1->loop);
        } else if (h1->state == H1_OPEN) {
            complete(h1);
        }
        return true;
    }
    if (turn->in != H1_IN_DONE) {
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
    h1->rest = buf_span(&h1->in);
    if (h1->turn && h1->transport) {
        h1_release_held(h1->turn);
    }
}

/* Keeps what was not parsed, which is nothing for an idle connection. */
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
    h1->rest = SPAN_EMPTY;
}

/* Reading goes on while somebody takes the bytes, and, as long as nothing is buffered, to notice
 * that the peer has left. */
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
        return buf_len(&h1->in) == 0 || transport_queued(h1->transport) == 0;
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

static void set_reading(struct h1 *h1)
{
    if (wants_input(h1)) {
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
    note_partial(h1);
    keep_rest(h1);
    h1->is_pumping = false;
    if (h1->state != H1_GONE) {
        set_reading(h1);
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
    if (!h1->is_pumping) { /* else its steps are not done yet */
        timeout_set(h1->loop, &h1->timeout, 0);
    }
}

/* ---- the transport calls in ---- */

static void on_bytes(void *owner, struct span bytes)
{
    struct h1 *h1 = owner;

    if (h1->state == H1_LINGER) {
        return;
    }
    bool is_saved = buf_len(&h1->in) > 0;
    if (is_saved) {
        buf_append(&h1->in, bytes);
    }
    h1_enter(h1);
    if (!is_saved) {
        h1->rest = bytes;
    }
    h1_leave(h1);
}

static void on_eof(void *owner)
{
    struct h1 *h1 = owner;

    h1_enter(h1);
    h1->is_eof = true;
    if (h1->state == H1_LINGER) {
        h1_cut(h1);
    }
    h1_leave(h1);
}

static void on_writable(void *owner)
{
    struct h1 *h1 = owner;

    h1_enter(h1);
    if (h1->turn) {
        pull_written(&h1->turn->pull);
        h1->turn->out_since = loop_now_ms(h1->loop);
    }
    h1_leave(h1);
}

static void on_error(void *owner, int err)
{
    struct h1 *h1 = owner;

    h1_enter(h1);
    buf_clear(loop_out(h1->loop));
    h1_fail(h1, err);
    h1_leave(h1);
}

static void on_timeout(struct timeout *timeout)
{
    struct h1 *h1 = container_of(timeout, struct h1, timeout);

    h1_enter(h1);
    h1_expire(h1);
    h1_leave(h1);
}

/* ---- life ---- */

struct h1 *h1_new(struct transport *transport, const struct h1_settings *settings,
                  const struct h1_events *events, void *owner, enum h1_role role)
{
    static const struct transport_events transport_events = {
        .on_bytes = on_bytes,
        .on_eof = on_eof,
        .on_writable = on_writable,
        .on_error = on_error,
    };
    struct h1 *h1 = xmalloc(sizeof(*h1));

    *h1 = (struct h1){
        .loop = transport_loop(transport),
        .transport = transport,
        .settings = settings,
        .events = events,
        .owner = owner,
        .role = role,
    };
    h1->since = loop_now_ms(h1->loop);
    timeout_init(&h1->timeout, on_timeout);
    transport_start(transport, &transport_events, h1);
    return h1;
}

struct h1 *h1_serve(struct transport *transport, const struct h1_settings *settings,
                    const struct h1_events *events, void *owner)
{
    struct h1 *h1 = h1_new(transport, settings, events, owner, H1_SERVER);

    set_reading(h1);
    h1_arm(h1);
    return h1;
}

struct h1 *h1_connect(struct transport *transport, const struct h1_settings *settings,
                      const struct h1_events *events, void *owner)
{
    struct h1 *h1 = h1_new(transport, settings, events, owner, H1_CLIENT);

    set_reading(h1);
    h1_arm(h1);
    return h1;
}

void h1_close(struct h1 **h1)
{
    struct h1 *gone = *h1;

    *h1 = NULL;
    if (!gone) {
        return;
    }
    gone->events = NULL;
    if (gone->turn) {
        gone->turn->is_detached = true;
    }
    h1_cut(gone);
    if (!gone->is_pumping) {
        h1_free(gone);
    }
}

void h1_drain(struct h1 *h1)
{
    h1->is_draining = true;
    if (!h1->turn) {
        h1_kick(h1);
    }
}

/* ---- facts ---- */

struct transport *h1_transport(const struct h1 *h1)
{
    return h1->transport;
}

void *h1_owner(const struct h1 *h1)
{
    return h1->owner;
}

struct stream *h1_request(struct h1 *h1)
{
    CHECK(h1->role == H1_CLIENT && h1->state == H1_OPEN);
    return &h1_turn_new(h1, H1_IN_HEAD)->stream;
}

bool h1_untouched(const struct h1 *h1)
{
    return h1->turn && !h1->turn->is_touched;
}

struct h1 *h1_of_stream(const struct stream *stream)
{
    if (stream->ops != &h1_stream_ops) {
        return NULL;
    }
    const void *turn = (const char *)stream - offsetof(struct h1_turn, stream);
    struct h1 *h1 = ((const struct h1_turn *)turn)->h1;
    return h1->role == H1_TUNNEL ? NULL : h1;
}
