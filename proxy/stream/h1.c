/*
 * The life of an HTTP/1 connection: its states, its beginnings and ends, and the events of
 * its transport. What they lead to is in h1_pump.c.
 */
#include "proxy/stream/h1_conn.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"

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
        .in_pace = {.since = now},
        .out_since = now,
    };
    h1->turn = turn;
    return turn;
}

void h1_drop_trailers(struct h1_turn *turn)
{
    if (turn->trailers.cap) {
        memory_give(MEMORY_BUFFERS, turn->trailers.cap);
        buf_fini(&turn->trailers);
    }
}

static void turn_free(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;

    h1->turn = NULL;
    if (turn) {
        CHECK(!turn->pull.lent);
        pull_drop(&turn->pull);
        h1_drop_trailers(turn);
        pool_give(loop_pool(h1->loop), turn->held, turn->held_len);
        pool_give(loop_pool(h1->loop), turn, sizeof(*turn));
    }
}

void h1_say_closed(struct h1_turn *turn, int err)
{
    if (!turn->is_detached) {
        turn->is_detached = true;
        turn->stream.events->on_close(turn->stream.owner, err);
    }
}

void h1_end_turn(struct h1 *h1, int err)
{
    pull_drop(&h1->turn->pull);
    h1_say_closed(h1->turn, err);
    turn_free(h1);
    h1->since = loop_now_ms(h1->loop);
    h1->is_partial = false;
}

/* ---- the end ---- */

/* Would a proper close make an incomplete message look complete, because it ends with the
 * connection? After a turn has ended it is not known any more how its message was framed. */
static bool close_would_lie(const struct h1 *h1)
{
    const struct h1_turn *turn = h1->turn;

    if (!turn || turn->out == H1_OUT_DONE) {
        bool may_be_last = h1->state == H1_FLUSH || (turn && turn->is_tunnel);
        return may_be_last && transport_queued(h1->transport) > 0;
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
        h1_say_closed(h1->turn, err);
    }
}

void h1_conclude(struct h1 *h1, bool linger)
{
    h1->lingers = linger && !h1->is_eof;
    h1->since = loop_now_ms(h1->loop);
    h1_set_state(h1, H1_FLUSH);
}

void h1_count_input(struct h1 *h1)
{
    if (h1->in.cap != h1->counted) {
        memory_take(MEMORY_BUFFERS, h1->in.cap);
        memory_give(MEMORY_BUFFERS, h1->counted);
        h1->counted = h1->in.cap;
    }
}

void h1_free(struct h1 *h1)
{
    turn_free(h1);
    timeout_clear(&h1->timeout);
    buf_fini(&h1->in);
    h1_count_input(h1);
    memory_give(MEMORY_CONNECTIONS, sizeof(*h1));
    free(h1);
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
        h1_count_input(h1);
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

static void on_readable(void *owner)
{
    struct h1 *h1 = owner;

    h1_enter(h1);
    if (h1_wants_splice(h1)) {
        h1_splice(h1);
    }
    h1_leave(h1);
}

static void on_writable(void *owner)
{
    struct h1 *h1 = owner;
    uint64_t now = loop_now_ms(h1->loop);

    h1_enter(h1);
    if (h1->turn) {
        pull_written(&h1->turn->pull);
        h1->turn->out_since = now;
    } else {
        h1->since = now; /* it has taken the last response only now */
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
        .on_readable = on_readable,
        .on_writable = on_writable,
        .on_error = on_error,
    };
    struct h1 *h1 = xmalloc(sizeof(*h1));
    memory_take(MEMORY_CONNECTIONS, sizeof(*h1));

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

    h1->is_young = events->on_preface != NULL;
    h1->is_fresh = true;
    h1_set_reading(h1);
    h1_arm(h1);
    return h1;
}

struct h1 *h1_connect(struct transport *transport, const struct h1_settings *settings,
                      const struct h1_events *events, void *owner)
{
    struct h1 *h1 = h1_new(transport, settings, events, owner, H1_CLIENT);

    h1_set_reading(h1);
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

void h1_abort(struct h1 *h1, int err)
{
    h1_enter(h1);
    h1_fail(h1, err);
    h1_leave(h1);
}

/* Has the client connected a moment ago, so that its first request is likely on its way? */
static bool has_just_come(const struct h1 *h1)
{
    return h1->is_fresh && !h1->is_partial && !h1->turn &&
           loop_now_ms(h1->loop) - h1->since < H1_LAST_KEPT_MS;
}

void h1_drain(struct h1 *h1)
{
    if (has_just_come(h1)) {
        h1->is_last = true;
        h1->is_fresh = false; /* so it has a second in all, instead of the longer wait */
        h1_arm(h1);
        return;
    }
    h1->is_draining = true;
    if (!h1->turn) {
        h1_kick(h1);
    }
}

void h1_drain_kindly(struct h1 *h1)
{
    if (h1->turn && h1->turn->out == H1_OUT_WAIT) {
        h1_drain(h1); /* the pending response can say "Connection: close" */
        return;
    }
    h1->is_last = true;
    if (!h1->turn) {
        h1->since = h1->is_partial ? h1->since : loop_now_ms(h1->loop);
        h1_arm(h1);
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

bool h1_is_waiting(const struct h1 *h1, uint64_t before_ms)
{
    bool is_idle = !h1->turn && h1->state == H1_OPEN && transport_queued(h1->transport) == 0;

    return (is_idle || h1->state == H1_LINGER) && h1->since <= before_ms;
}

bool h1_is_slow(const struct h1 *h1)
{
    const struct h1_turn *turn = h1->turn;

    return turn && h1->state == H1_OPEN && turn->in == H1_IN_BODY && turn->out == H1_OUT_WAIT &&
           !turn->is_paused && !turn->awaits_continue &&
           pace_in_is_slow(&turn->in_pace, loop_read_ms(h1->loop));
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
