/*
 * The life of an HTTP/2 connection, and the events of its transport.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"

#include <stdio.h>

void h2_set_state(struct h2 *h2, enum h2_state next)
{
#define X(name, legal) legal,
    static const unsigned legal_next[] = {H2_STATES(X)};
#undef X
    CHECK(legal_next[h2->state] & H2_BIT(next));
    h2->state = next;
}

/* ---- the end ---- */

/* A response that was received completely is delivered completely, although its connection ends. */
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
    h2_heads_forget(h2);
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

/* ---- events of the transport ---- */

static bool may_keep(const struct h2 *h2)
{
    return !h2->events || !h2->events->may_keep || h2->events->may_keep(h2->owner);
}

/* Is nothing in progress but a request of which a part is here? */
static bool waits_for_head(const struct h2 *h2)
{
    return h2->role == H2_SERVER && h2->incoming && h2->stream_count <= 1;
}

static void on_bytes(void *owner, struct span bytes)
{
    struct h2 *h2 = owner;

    if (h2->is_slim && !may_keep(h2)) {
        h2_abort(h2, ERR_FULL);
        return;
    }
    h2_enter(h2);
    h2_feed(h2, bytes);
    if (waits_for_head(h2) && !may_keep(h2)) {
        h2_fail(h2, ERR_FULL);
    }
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
    if (h2->stream_count == 0) {
        h2->since = loop_now_ms(h2->loop); /* it has taken the last response only now */
    }
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

/* ---- start ---- */

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

/* Bytes received with the preface may end the connection at once. The owner must not learn of that
 * inside this call, so they are fed to nghttp2 from a handler of their own. */
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

/* ---- properties ---- */

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
           pace_in_is_slow(&stream->in_pace, loop_read_ms(stream->h2->loop));
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

bool h2_is_stalled(const struct h2 *h2)
{
    uint64_t read = loop_read_ms(h2->loop);

    if (h2->stream_count == 0 || h2->state != H2_OPEN) {
        return false;
    }
    if (pace_is_stalled(&h2->queue_pace, read)) {
        return true;
    }
    list_each(link, &h2->streams)
    {
        const struct h2_stream *stream = list_entry(link, struct h2_stream, link);
        if (!is_slow(stream) && !pace_is_stalled(&stream->pace, read)) {
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
