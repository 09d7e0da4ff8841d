/*
 * h2_stream - the life of an HTTP/2 stream: its two directions, its source, and how it is reset.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/memory.h"

/* ---- directions ---- */

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

/* ---- life ---- */

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
    if (h2->found == stream) {
        h2->found = NULL;
    }
    if (stream->id && !stream->is_over) {
        nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
    }
    h2_heads_drop(stream);
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
    if (stream->id == 0) { /* the request was never submitted */
        stream->is_over = true;
        h2_make_ready(stream);
    } else if (stream->h2->state == H2_OPEN) {
        nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, code);
    }
}

/* The error code for an outgoing message that breaks off: CONNECT_ERROR for a tunnel (RFC 9113
 * 8.5), CANCEL for an extended one (RFC 8441 5). */
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

/* ---- properties ---- */

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

    return inner->in == H2_IN_HEAD && inner->interims.count == 0 &&
           inner->heard == inner->h2->received;
}
