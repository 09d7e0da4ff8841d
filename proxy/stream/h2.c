/*
 * The life of an HTTP/2 connection and of its streams, and what the transport tells it.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"

#include <stdio.h>

/* ---- states ---- */

void h2_set_state(struct h2 *h2, enum h2_state next)
{
#define X(name, legal) legal,
    static const unsigned legal_next[] = {H2_STATES(X)};
#undef X
    CHECK(legal_next[h2->state] & H2_BIT(next));
    h2->state = next;
}

void h2_set_in(struct h2_stream *stream, enum h2_in next)
{
#define X(name, legal) legal,
    static const unsigned legal_next[] = {H2_IN_STATES(X)};
#undef X
    CHECK(legal_next[stream->in] & H2_BIT(next));
    stream->in = next;
}

void h2_set_out(struct h2_stream *stream, enum h2_out next)
{
#define X(name, legal) legal,
    static const unsigned legal_next[] = {H2_OUT_STATES(X)};
#undef X
    CHECK(legal_next[stream->out] & H2_BIT(next));
    stream->out = next;
}

/* ---- streams ---- */

struct h2_stream *h2_stream_new(struct h2 *h2, enum h2_in in)
{
    struct h2_stream *stream = pool_take(loop_pool(h2->loop), sizeof(*stream));
    uint64_t now = loop_now_ms(h2->loop);

    *stream = (struct h2_stream){
        .stream.ops = &h2_stream_ops,
        .h2 = h2,
        .in = in,
        .out = H2_OUT_WAIT,
        .in_since = now,
        .in_pace = {.since = now},
        .out_since = now,
    };
    list_push_back(&h2->streams, &stream->link);
    list_init(&stream->ready);
    list_init(&stream->lent);
    h2->stream_count++;
    return stream;
}

void h2_stream_free(struct h2_stream *stream)
{
    struct h2 *h2 = stream->h2;

    CHECK(stream->gathered == 0 && stream->source == NULL);
    if (h2->incoming && h2->incoming->stream == stream) {
        h2->incoming->stream = NULL;
    }
    if (stream->id && !stream->is_over) {
        nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
    }
    list_remove(&stream->link);
    list_remove(&stream->ready);
    list_remove(&stream->lent);
    buf_fini(&stream->held);
    h2_count_held(stream);
    buf_fini(&stream->page);
    if (--h2->stream_count == 0) {
        h2->since = loop_now_ms(h2->loop);
    }
    pool_give(loop_pool(h2->loop), stream, sizeof(*stream));
}

void h2_make_ready(struct h2_stream *stream)
{
    if (list_empty(&stream->ready)) {
        list_push_back(&stream->h2->ready, &stream->ready);
    }
}

void h2_count_held(struct h2_stream *stream)
{
    if (stream->held.cap != stream->counted) {
        memory_take(MEMORY_BUFFERS, stream->held.cap);
        memory_give(MEMORY_BUFFERS, stream->counted);
        stream->counted = stream->held.cap;
    }
}

void h2_drop_source(struct h2_stream *stream)
{
    struct source *source = stream->source;

    if (stream->gathered) {
        h2_flush(stream->h2);
    }
    stream->source = NULL;
    stream->span = SPAN_EMPTY;
    stream->promised = 0;
    source_drop(source);
}

void h2_say_closed(struct h2_stream *stream, int err)
{
    if (!stream->is_detached) {
        stream->is_detached = true;
        stream->stream.events->on_close(stream->stream.owner, err);
    }
}

void h2_reset(struct h2_stream *stream, uint32_t code, int err)
{
    if (stream->err == 0) {
        stream->err = err;
    }
    if (stream->is_over || stream->is_mute) {
        return;
    }
    stream->is_mute = true;
    if (stream->id == 0) { /* it was never sent */
        stream->is_over = true;
        h2_make_ready(stream);
    } else if (stream->h2->state == H2_OPEN) {
        nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, code);
    }
}

/* A tunnel whose target fails: RFC 9113 8.5, and RFC 8441 5 for an extended one. */
static uint32_t code_of_break(const struct h2_stream *stream)
{
    if (!h2_is_tunnel(stream)) {
        return NGHTTP2_INTERNAL_ERROR;
    }
    return stream->is_extended ? NGHTTP2_CANCEL : NGHTTP2_CONNECT_ERROR;
}

void h2_break_off(struct h2_stream *stream, int err)
{
    stream->is_excused = true;
    h2_reset(stream, code_of_break(stream), err);
}

/* ---- the end ---- */

/* A response that has come whole stays whole though its connection goes. */
static void end_stream(struct h2_stream *stream, int err)
{
    if (stream->h2->role == H2_CLIENT) {
        h2_in_finish(stream);
    }
    bool is_whole = stream->h2->role == H2_CLIENT
                        ? stream->in == H2_IN_DONE
                        : stream->in == H2_IN_DONE && stream->is_sent && stream->h2->write_err == 0;
    h2_drop_source(stream);
    h2_say_closed(stream, stream->err ? stream->err : is_whole ? 0 : err);
    h2_stream_free(stream);
}

static void end_streams(struct h2 *h2, int err)
{
    while (!list_empty(&h2->streams)) {
        end_stream(list_entry(h2->streams.next, struct h2_stream, link), err);
    }
}

void h2_fail(struct h2 *h2, int err)
{
    if (h2->state == H2_GONE) {
        return;
    }
    h2->is_deaf = true;
    if (h2->is_pumping && h2->write_err == 0) {
        h2_flush(h2);
    }
    transport_close(&h2->transport, false);
    h2_set_state(h2, H2_GONE);
    end_streams(h2, err);
}

void h2_conclude(struct h2 *h2)
{
    if (h2->state != H2_OPEN) {
        return;
    }
    h2->is_deaf = true;
    h2->since = loop_now_ms(h2->loop);
    h2_set_state(h2, H2_FLUSH);
    end_streams(h2, ERR_CLOSED);
}

void h2_offend(struct h2 *h2, enum h2_offence offence, uint32_t code)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
    char text[H2_WHY_MAX];

    if (h2->is_deaf) {
        return;
    }
    h2->is_deaf = true;
    snprintf(text, sizeof(text), "%s%s%s", h2_offence_text(offence), h2->why ? ": " : "",
             h2->why ? h2->why : "");
    const void *reason = text;
    nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, code, reason, strlen(text));
    h2_say_offence(h2, offence, h2->why ? span_str(h2->why) : SPAN("-"));
}

void h2_say_offence(struct h2 *h2, enum h2_offence offence, struct span why)
{
    if (h2->events && h2->events->on_offence) {
        h2->events->on_offence(h2->owner, offence, why);
    }
}

static void h2_free(struct h2 *h2)
{
    CHECK(list_empty(&h2->streams));
    h2_in_drop_block(h2);
    buf_fini(&h2->early);
    h2_count_early(h2);
    h2_memory_fatten(h2);
    nghttp2_session_del(h2->session);
    h2_memory_close(h2);
    timeout_clear(&h2->timeout);
    timeout_clear(&h2->kick);
    memory_give(MEMORY_CONNECTIONS, sizeof(*h2));
    free(h2);
}

void h2_gone(struct h2 *h2)
{
    const struct h2_events *events = h2->events;
    void *owner = h2->owner;

    h2_free(h2);
    if (events) {
        events->on_gone(owner);
    }
}

void h2_close(struct h2 **slot)
{
    struct h2 *h2 = *slot;

    *slot = NULL;
    if (h2 == NULL) {
        return;
    }
    h2->events = NULL;
    list_each(link, &h2->streams)
    {
        list_entry(link, struct h2_stream, link)->is_detached = true;
    }
    h2_fail(h2, ERR_CLOSED);
    if (!h2->is_pumping) {
        h2_free(h2);
    }
}

void h2_abort(struct h2 *h2, int err)
{
    h2_enter(h2);
    h2_fail(h2, err);
    h2_leave(h2);
}

void h2_drain(struct h2 *h2)
{
    if (h2->is_draining || h2->state != H2_OPEN) {
        return;
    }
    h2_memory_fatten(h2);
    h2->is_draining = true;
    h2->drain_since = loop_now_ms(h2->loop);
    if (h2->role == H2_SERVER) {
        nghttp2_submit_shutdown_notice(h2->session);
    }
    h2_kick(h2);
}

/* ---- the transport calls in ---- */

static void on_bytes(void *owner, struct span bytes)
{
    struct h2 *h2 = owner;

    h2_enter(h2);
    h2_feed(h2, bytes);
    h2_leave(h2);
}

static void on_eof(void *owner)
{
    struct h2 *h2 = owner;

    h2_enter(h2);
    h2_fail(h2, ERR_CLOSED);
    h2_leave(h2);
}

static void on_writable(void *owner)
{
    struct h2 *h2 = owner;

    h2_enter(h2);
    h2_leave(h2);
}

static void on_error(void *owner, int err)
{
    struct h2 *h2 = owner;

    h2_enter(h2);
    h2->write_err = err;
    h2_fail(h2, err);
    h2_leave(h2);
}

static void on_timeout(struct timeout *timeout)
{
    struct h2 *h2 = container_of(timeout, struct h2, timeout);

    h2_enter(h2);
    h2_expire(h2);
    h2_leave(h2);
}

static void on_kick(struct timeout *timeout)
{
    struct h2 *h2 = container_of(timeout, struct h2, kick);

    h2_enter(h2);
    h2_leave(h2);
}

/* ---- the beginning ---- */

static struct h2 *h2_new(struct transport *transport, const struct h2_settings *settings,
                         const struct h2_events *events, void *owner, enum h2_role role)
{
    static const struct transport_events transport_events = {
        .on_bytes = on_bytes,
        .on_eof = on_eof,
        .on_writable = on_writable,
        .on_error = on_error,
    };
    struct h2 *h2 = xmalloc(sizeof(*h2));

    memory_take(MEMORY_CONNECTIONS, sizeof(*h2));
    *h2 = (struct h2){
        .loop = transport_loop(transport),
        .transport = transport,
        .settings = settings,
        .events = events,
        .owner = owner,
        .role = role,
        .batch = H2_BATCH_FIRST,
    };
    h2->since = loop_now_ms(h2->loop);
    h2->heard_ms = h2->since;
    list_init(&h2->streams);
    list_init(&h2->ready);
    list_init(&h2->lent);
    timeout_init(&h2->timeout, on_timeout);
    timeout_init(&h2->kick, on_kick);
    h2_session_open(h2);
    transport_start(transport, &transport_events, h2);
    transport_keep_low(transport);
    transport_read_start(transport);
    return h2;
}

/* What came with the preface may end the connection at once: that is told from a handler of its
 * own, so it is fed from there. */
struct h2 *h2_serve(struct transport *transport, struct span received,
                    const struct h2_settings *settings, const struct h2_events *events, void *owner)
{
    struct h2 *h2 = h2_new(transport, settings, events, owner, H2_SERVER);

    h2->early = BUF_INIT;
    buf_append(&h2->early, received);
    h2_count_early(h2);
    h2_kick(h2);
    return h2;
}

struct h2 *h2_connect(struct transport *transport, bool https, const struct h2_settings *settings,
                      const struct h2_events *events, void *owner)
{
    struct h2 *h2 = h2_new(transport, settings, events, owner, H2_CLIENT);

    h2->is_https = https;
    h2_kick(h2);
    return h2;
}

/* ---- facts ---- */

struct transport *h2_transport(const struct h2 *h2)
{
    return h2->transport;
}

void *h2_owner(const struct h2 *h2)
{
    return h2->owner;
}

size_t h2_streams(const struct h2 *h2)
{
    return h2->stream_count;
}

bool h2_is_waiting(const struct h2 *h2, uint64_t before_ms)
{
    return h2->stream_count == 0 && transport_queued(h2->transport) == 0 && h2->since <= before_ms;
}

static bool is_slow(const struct h2_stream *stream)
{
    return stream->in == H2_IN_BODY && stream->out == H2_OUT_WAIT && !stream->has_ended &&
           !stream->is_paused && buf_len(&stream->held) == 0 &&
           pace_in_is_slow(&stream->in_pace, loop_now_ms(stream->h2->loop));
}

bool h2_is_slow(const struct h2 *h2)
{
    if (h2->stream_count == 0 || h2->state != H2_OPEN) {
        return false;
    }
    list_each(link, &h2->streams)
    {
        const struct h2_stream *stream = list_entry(link, struct h2_stream, link);
        if (!is_slow(stream)) {
            return false;
        }
    }
    return true;
}

size_t h2_room(const struct h2 *h2)
{
    uint32_t most =
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    if (h2->state != H2_OPEN || h2->is_deaf || h2->is_leaving || h2->is_draining ||
        h2_is_in_doubt(h2) || h2->held > H2_MEMORY_ROOM ||
        !nghttp2_session_check_request_allowed(h2->session)) {
        return 0;
    }
    most = most < H2_REQUESTS_MAX ? most : H2_REQUESTS_MAX;
    return h2->stream_count < most ? most - h2->stream_count : 0;
}

struct stream *h2_request(struct h2 *h2)
{
    CHECK(h2->role == H2_CLIENT && h2_room(h2) > 0);
    return &h2_stream_new(h2, H2_IN_HEAD)->stream;
}

static const struct h2_stream *inner_of(const struct stream *stream)
{
    const void *inner = (const char *)stream - offsetof(struct h2_stream, stream);

    return inner;
}

struct h2 *h2_of_stream(const struct stream *stream)
{
    if (stream->ops != &h2_stream_ops) {
        return NULL;
    }
    return inner_of(stream)->h2;
}

bool h2_refused(const struct stream *stream)
{
    const struct h2_stream *inner = inner_of(stream);

    return inner->in == H2_IN_HEAD && inner->is_over && inner->code == NGHTTP2_REFUSED_STREAM;
}

bool h2_untouched(const struct stream *stream)
{
    const struct h2_stream *inner = inner_of(stream);

    return inner->in == H2_IN_HEAD && inner->interims == 0 && inner->heard == inner->h2->received;
}
