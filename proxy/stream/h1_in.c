/*
 * The incoming message: heads are parsed in the read buffer itself, bodies are handed on piece by
 * piece. Each step either uses some of h1->rest or says that it cannot go on.
 */
#include "proxy/stream/h1_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "http/h1_write.h"
#include "http/trailers.h"

static void use(struct h1 *h1, size_t n)
{
    h1->rest = span_skip(h1->rest, n);
    if (h1->turn) {
        h1->turn->stream.received += n;
    }
}

/* ---- server role: a request begins ---- */

/* Have the earlier responses left, or nearly, so that the next one may be corked behind them? */
static bool can_answer(struct h1 *h1)
{
    if (buf_len(loop_out(h1->loop)) >= PULL_CORK_MAX) {
        int err = h1_flush(h1);
        if (err) {
            h1_write_failed(h1, err);
            return false;
        }
    }
    return transport_queued(h1->transport) == 0;
}

static void open_request(struct h1 *h1, struct http_head *head, size_t used)
{
    bool is_bodiless = head->framing == BODY_NONE;
    head->upgrade =
        head->upgrade && is_bodiless; /* a request with a body does not become a tunnel */
    bool may_switch = head->upgrade || head->method == METHOD_CONNECT;
    struct h1_turn *turn = h1_turn_new(h1, may_switch ? H1_IN_HOLD : H1_IN_BODY);

    h1_body_init(&turn->body, head);
    turn->stream.received = used;
    turn->method = head->method;
    turn->version = head->version;
    turn->is_keep_alive = head->keep_alive;
    turn->peer_persists = head->keep_alive;
    turn->awaits_continue = head->expect_continue && !is_bodiless;
    h1->events->on_stream(h1->owner, &turn->stream);
    if (h1->state == H1_OPEN && !turn->is_detached) {
        turn->stream.events->on_head(turn->stream.owner, head);
    }
}

/* Handles a peer that has closed between two requests, or inside a head: there is nothing to
 * answer. */
static bool end_of_requests(struct h1 *h1)
{
    if (h1->is_eof) {
        h1_conclude(h1, false);
    }
    return h1->is_eof;
}

/* Is the input so far the preface of HTTP/2? Once all of it is there the connection is handed over.
 */
static bool is_preface(struct h1 *h1)
{
    struct span preface = SPAN(H2_PREFACE);
    size_t len = h1->rest.len < preface.len ? h1->rest.len : preface.len;

    if (!h1->is_young || h1->is_eof ||
        !span_eq(span_take(h1->rest, len), span_take(preface, len))) {
        return false;
    }
    if (len == preface.len) {
        h1->is_h2 = true;
        h1_set_state(h1, H1_GONE);
    }
    return true;
}

/* Waits for the rest of a head, if the part that is here may be kept. */
static bool wait_for_head(struct h1 *h1)
{
    if (!h1->is_eof && h1->events->may_keep && !h1->events->may_keep(h1->owner)) {
        h1_cut(h1);
        return true;
    }
    return end_of_requests(h1);
}

/* Has this run of the pump begun enough requests? The next one goes on. */
static bool has_run_enough(struct h1 *h1)
{
    if (h1->begun < H1_RUN_REQUESTS) {
        return false;
    }
    h1->is_kicked = true;
    return true;
}

static bool begin_request(struct h1 *h1)
{
    if (h1->is_draining) {
        h1_conclude(h1, h1->rest.len > 0);
        return true;
    }
    if (h1->rest.len == 0) {
        return end_of_requests(h1);
    }
    if (has_run_enough(h1) || !can_answer(h1) || is_preface(h1)) {
        return false;
    }
    struct arena *arena = loop_arena(h1->loop);
    struct http_head head;
    struct h1_error error;
    size_t used;
    int err =
        h1_parse_request(&h1->scan, h1->rest, &h1->settings->limits, arena, &head, &used, &error);
    if (!err) {
        h1->scan = (struct h1_scan){0};
        h1->is_young = h1->is_fresh = false;
        h1->is_draining |= h1->is_last;
        h1->begun++;
        use(h1, used);
        open_request(h1, &head, used);
    }
    arena_reset(arena);
    if (err == ERR_MORE) {
        return wait_for_head(h1);
    }
    if (err) {
        h1_refuse(h1, &error);
    }
    return true;
}

void h1_refuse(struct h1 *h1, const struct h1_error *error)
{
    struct arena *arena = loop_arena(h1->loop);
    struct buf *out = loop_out(h1->loop);
    struct buf page = BUF_INIT;
    struct http_head head;
    size_t before = buf_len(out);

    CHECK(h1->state == H1_OPEN && !h1->turn);
    head_init(&head, arena);
    fields_add_id(&head.fields, FIELD_DATE, loop_date(h1->loop));
    if (h1->events->on_bad_head) {
        h1->events->on_bad_head(h1->owner, error, &head, &page);
    }
    head.status = error->status;
    head.framing = BODY_LENGTH;
    head.content_length = (int64_t)buf_len(&page);
    head.keep_alive = false;
    h1_write_response(out, &head, HTTP_1_1, METHOD_GET);
    buf_append(out, buf_span(&page));
    arena_reset(arena);
    buf_fini(&page);
    if (h1->events->on_refused) {
        h1->events->on_refused(h1->owner, error, buf_len(out) - before);
    }
    h1_conclude(h1, true);
}

void h1_refuse_turn(struct h1 *h1, int err, const struct h1_error *error)
{
    h1_end_turn(h1, err);
    if (h1->state == H1_OPEN) {
        h1_refuse(h1, error);
    }
}

/* ---- client role: a response begins ---- */

/* Closes a connection on which bytes, or its end, came without a request: it is of no more use. */
static bool guard_idle(struct h1 *h1)
{
    if (h1->rest.len == 0 && !h1->is_eof) {
        return false;
    }
    h1_cut(h1);
    return true;
}

static bool grants_tunnel(const struct h1_turn *turn, const struct http_head *head)
{
    if (!turn->is_tunnel_wanted) {
        return false;
    }
    if (turn->method == METHOD_CONNECT) {
        return head->status / 100 == 2;
    }
    return head->status == 101;
}

static void take_interim(struct h1 *h1, struct h1_turn *turn, const struct http_head *head)
{
    uint64_t now = loop_now_ms(h1->loop);

    /* 101 is a protocol that was not asked for */
    if (head->status == 101 || pace_interims_flood(&turn->interims, now)) {
        h1_fail(h1, ERR_SYNTAX);
        return;
    }
    turn->in_since = now;
    turn->stream.events->on_head(turn->stream.owner, head);
}

static void take_response(struct h1 *h1, struct h1_turn *turn, const struct http_head *head)
{
    bool is_granted = grants_tunnel(turn, head);

    if (is_granted && h1->is_cut) { /* nothing can be sent through it */
        h1_fail(h1, ERR_CLOSED);
        return;
    }
    if (is_granted) {
        turn->is_tunnel = true;
        h1_set_in(turn, H1_IN_RAW);
        h1_set_out(turn, H1_OUT_RAW);
    } else if (head->status < 200) {
        take_interim(h1, turn, head);
        return;
    } else {
        h1_body_init(&turn->body, head);
        turn->is_keep_alive = head->keep_alive;
        h1_set_in(turn, H1_IN_BODY);
    }
    turn->in_since = loop_now_ms(h1->loop);
    turn->stream.events->on_head(turn->stream.owner, head);
    if (h1->state == H1_OPEN && turn->out == H1_OUT_HOLD) {
        /* the request does not become a tunnel, so the body that waited for that is not sent */
        h1_finish_out(turn);
    }
}

static bool read_response(struct h1 *h1, struct h1_turn *turn)
{
    if (h1->rest.len == 0) {
        if (h1->is_eof) {
            h1_fail(h1, ERR_CLOSED);
        }
        return h1->is_eof;
    }
    if (turn->out == H1_OUT_WAIT) {
        /* it arrived before the request was sent, so it cannot be the answer */
        h1_fail(h1, ERR_CLOSED);
        return true;
    }
    struct arena *arena = loop_arena(h1->loop);
    struct http_head head;
    struct h1_error error;
    size_t used;
    turn->is_touched = true;
    int err = h1_parse_response(&h1->scan, h1->rest, &h1->settings->limits, turn->method, arena,
                                &head, &used, &error);
    if (!err) {
        h1->scan = (struct h1_scan){0};
        use(h1, used);
        take_response(h1, turn, &head);
    }
    arena_reset(arena);
    if (err == ERR_MORE && !h1->is_eof) {
        return false;
    }
    if (err) {
        h1_fail(h1, err == ERR_MORE ? ERR_TRUNCATED : ERR_SYNTAX);
    }
    return true;
}

/* ---- bodies ---- */

/* Keeps a piece of the trailer section, whose length h1_body bounds. */
static void keep_trailers(struct h1_turn *turn, struct span bytes)
{
    size_t before = turn->trailers.cap;

    if (!turn->is_detached && turn->stream.events->on_trailers) {
        buf_append(&turn->trailers, bytes);
        memory_take(MEMORY_BUFFERS, turn->trailers.cap - before);
    }
}

static void hand_trailers(struct h1_turn *turn)
{
    _Alignas(16) char first[2048];
    struct http_fields fields;
    struct arena arena;

    arena_init(&arena, first, sizeof(first));
    fields_init(&fields, &arena, 0);
    trailers_read(buf_span(&turn->trailers), &fields);
    if (fields.count && !turn->is_detached) {
        turn->stream.events->on_trailers(turn->stream.owner, &fields);
    }
    arena_fini(&arena);
    h1_drop_trailers(turn);
}

static void finish_in(struct h1_turn *turn)
{
    if (buf_len(&turn->trailers)) {
        hand_trailers(turn);
    }
    h1_set_in(turn, H1_IN_DONE);
    if (!turn->is_detached) {
        turn->stream.events->on_end(turn->stream.owner);
    }
}

static bool is_progress(const struct h1 *h1, struct h1_turn *turn, size_t bytes)
{
    return h1->role != H1_SERVER || turn->body.framing != BODY_LENGTH ||
           pace_has_come(&turn->in_seen, bytes, h1->settings->times.body_ms);
}

static void hand_on(struct h1 *h1, struct h1_turn *turn, struct span data)
{
    uint64_t now = loop_now_ms(h1->loop);

    if (is_progress(h1, turn, data.len)) {
        turn->in_since = now;
    }
    pace_in_add(&turn->in_pace, data.len, now);
    turn->awaits_continue = false;
    turn->is_paused = turn->stream.events->on_data(turn->stream.owner, data) == STREAM_PAUSE;
}

/* Ends a message whose body is framed wrongly; an unanswered request can still be refused. */
static void break_in(struct h1 *h1, struct h1_turn *turn)
{
    static const struct h1_error bad = {.status = 400, .what = "The chunked body is malformed"};

    if (h1->role == H1_SERVER && turn->out == H1_OUT_WAIT) {
        h1_refuse_turn(h1, ERR_SYNTAX, &bad);
    } else {
        h1_fail(h1, ERR_SYNTAX);
    }
}

/* Waits for more of a body when the input is used up. Framing counts as progress only when a whole
 * size line is there: chunk extensions could go on for days. */
static bool wait_for_body(struct h1 *h1, struct h1_turn *turn, size_t used)
{
    if (used && h1_body_awaits_data(&turn->body)) {
        turn->in_since = loop_now_ms(h1->loop);
    }
    if (!h1->is_eof) {
        return false;
    }
    if (h1_body_eof_is_end(&turn->body)) {
        finish_in(turn);
    } else {
        h1_fail(h1, ERR_TRUNCATED);
    }
    return true;
}

/* Has all of a body of known length come? Its end needs no room, so it is told even if the owner
 * has paused: somebody else may have all bytes by then, and build on it at once. */
static bool is_at_end(const struct h1_turn *turn)
{
    return turn->body.framing == BODY_LENGTH && turn->body.left == 0;
}

static bool read_body(struct h1 *h1, struct h1_turn *turn)
{
    struct span data;
    size_t used;

    if (turn->is_paused && !is_at_end(turn)) {
        return false;
    }
    enum h1_body_result result = h1_body_next(&turn->body, h1->rest, &used, &data);
    use(h1, used);
    switch (result) {
    case H1_BODY_DATA:
        hand_on(h1, turn, data);
        return true;
    case H1_BODY_TRAILERS:
        if (pace_has_come(&turn->in_seen, data.len, h1->settings->times.body_ms)) {
            turn->in_since = loop_now_ms(h1->loop);
        }
        keep_trailers(turn, data);
        return true;
    case H1_BODY_MORE:
        return wait_for_body(h1, turn, used);
    case H1_BODY_END:
        finish_in(turn);
        return true;
    case H1_BODY_BAD:
        break_in(h1, turn);
        return true;
    }
    UNREACHABLE();
}

/* Discards the rest of a request that was answered, to get to the next one. */
static bool discard_body(struct h1 *h1, struct h1_turn *turn)
{
    struct span data;
    size_t used;

    enum h1_body_result result = h1_body_next(&turn->body, h1->rest, &used, &data);
    use(h1, used);
    turn->discarded += used;
    if (result == H1_BODY_END) {
        finish_in(turn);
        return true;
    }
    if (result == H1_BODY_BAD || turn->discarded > H1_DRAIN_MAX || h1->is_eof) {
        h1_conclude(h1, true);
        return true;
    }
    return result == H1_BODY_DATA || result == H1_BODY_TRAILERS;
}

static bool read_raw(struct h1 *h1, struct h1_turn *turn)
{
    if (turn->is_paused) {
        return false;
    }
    if (h1->rest.len > 0) {
        struct span data = h1->rest;
        h1_note_flow(turn, data.len);
        use(h1, data.len);
        hand_on(h1, turn, data);
        return true;
    }
    if (h1->is_eof) {
        finish_in(turn);
    }
    return h1->is_eof;
}

bool h1_step_in(struct h1 *h1)
{
    struct h1_turn *turn = h1->turn;

    if (!turn) {
        return h1->role == H1_SERVER ? begin_request(h1) : guard_idle(h1);
    }
    switch (turn->in) {
    case H1_IN_HEAD:
        return read_response(h1, turn);
    case H1_IN_BODY:
        return read_body(h1, turn);
    case H1_IN_DISCARD:
        return discard_body(h1, turn);
    case H1_IN_RAW:
        return read_raw(h1, turn);
    case H1_IN_HOLD:
    case H1_IN_DONE:
        return false;
    }
    UNREACHABLE();
}
