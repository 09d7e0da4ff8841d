/*
 * Gathers frames for one write. Small ones are copied one behind the other; for longer pieces of
 * bodies only the place is noted, and they are written from the memory of their source.
 */
#include "proxy/stream/h2_conn.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/touch.h"

/* ---- gathering ---- */

void h2_gather_written(struct h2 *h2, size_t len)
{
    struct h2_gather *gather = h2->gather;
    struct h2_piece *last = gather->count ? &gather->pieces[gather->count - 1] : NULL;

    gather->bytes += len;
    if (last && last->at == NULL) {
        last->len += len;
    } else {
        gather->pieces[gather->count++] = (struct h2_piece){NULL, len};
    }
}

void h2_gather_copy(struct h2 *h2, struct span bytes)
{
    buf_append(loop_out(h2->loop), bytes);
    h2_gather_written(h2, bytes.len);
}

static void gather_lent(struct h2_stream *stream, struct span bytes)
{
    struct h2_gather *gather = stream->h2->gather;

    gather->pieces[gather->count++] = (struct h2_piece){bytes.at, bytes.len};
    gather->bytes += bytes.len;
}

static bool has_room(const struct h2 *h2)
{
    return h2->gather->count + 3 <= H2_PIECES && h2->gather->bytes < h2->batch;
}

static void add_frame(struct h2_stream *stream, struct span head, struct span body)
{
    struct h2 *h2 = stream->h2;

    h2_gather_copy(h2, head);
    if (body.len == 0) {
        return;
    }
    bool is_alone = stream->gathered == 0;
    if (body.len <= H2_COPY_MAX) {
        h2_gather_copy(h2, body);
    } else {
        gather_lent(stream, body);
    }
    if (body.len <= H2_COPY_MAX && is_alone) { /* copied, so its source may go on */
        source_advance(stream->source, body.len);
        stream->span = span_skip(stream->span, body.len);
        stream->promised -= body.len;
        return;
    }
    stream->gathered += body.len;
    if (list_empty(&stream->lent)) {
        list_push_back(&h2->lent, &stream->lent);
    }
}

int h2_gather_frame(struct h2_stream *stream, const nghttp2_frame *frame, const uint8_t *head,
                    size_t length)
{
    enum { FRAME_HEAD = 9 };
    struct h2 *h2 = stream->h2;

    if (stream->is_mute || stream->source == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (!has_room(h2) && !h2_flush(h2)) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (transport_queued(h2->transport) > 0 || h2->budget == 0) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    struct span body = span_take(span_skip(stream->span, stream->gathered), length);
    if (touch(body)) { /* the source has shown a mapping of a file whose disk fails now */
        stream->err = stream->err ? stream->err : ERR_TRUNCATED;
        stream->is_mute = true;
        stream->is_excused = true;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* nghttp2 resets the stream */
    }
    add_frame(stream, span_of((const char *)head, FRAME_HEAD), body);
    h2->budget -= length < h2->budget ? length : h2->budget;
    h2_guard_sent(&h2->guard);
    stream->out_since = loop_now_ms(h2->loop);
    stream->data_sent += length;
    h2->data_sent += length;
    stream->stream.sent += length + FRAME_HEAD;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        stream->is_sent = true;
        h2_make_ready(stream);
    }
    return 0;
}

/* ---- writing ---- */

/* Advances the sources past the bytes that were written or queued by the transport. */
static void give_back(struct h2 *h2, bool is_written)
{
    for (struct list *link; (link = list_pop_front(&h2->lent)) != NULL;) {
        struct h2_stream *stream = list_entry(link, struct h2_stream, lent);
        size_t n = stream->gathered;
        stream->gathered = 0;
        stream->promised -= n;
        stream->span = span_skip(stream->span, n);
        if (is_written) {
            source_advance(stream->source, n);
        }
    }
}

/* Adapts the batch to the socket. Bytes that the socket does not take are copied, so it is offered
 * as much as it took last, and a little more. */
static void adapt(struct h2 *h2, size_t offered)
{
    size_t left = transport_queued(h2->transport);

    if (left == 0) {
        size_t most = memory_is_tight() ? H2_BATCH_FIRST : H2_BATCH_MAX;
        size_t more = h2->batch + H2_BATCH_MIN;
        h2->batch = more < most ? more : most;
        return;
    }
    size_t taken = left < offered ? offered - left : 0;
    h2->batch = taken > H2_BATCH_MIN ? taken : H2_BATCH_MIN;
}

static ssize_t write_gathered(struct h2 *h2, struct buf *out)
{
    struct h2_gather *gather = h2->gather;
    struct span spans[H2_PIECES];
    struct span own = buf_span(out);

    for (size_t i = 0; i < gather->count; i++) {
        const struct h2_piece *piece = &gather->pieces[i];
        spans[i] = piece->at ? span_of(piece->at, piece->len) : span_take(own, piece->len);
        own = piece->at ? own : span_skip(own, piece->len);
    }
    return transport_write(h2->transport, spans, gather->count, false);
}

bool h2_flush(struct h2 *h2)
{
    struct h2_gather *gather = h2->gather;
    size_t offered = gather ? gather->bytes : 0;
    ssize_t n = 0;

    if (gather == NULL || gather->count == 0) {
        return h2->write_err == 0;
    }
    if (h2->transport && h2->write_err == 0) {
        n = write_gathered(h2, loop_out(h2->loop));
    }
    buf_clear(loop_out(h2->loop));
    gather->count = 0;
    gather->bytes = 0;
    h2->offered += offered;
    if (n < 0) {
        h2->write_err = (int)n;
    }
    give_back(h2, h2->write_err == 0);
    if (h2->transport && h2->write_err == 0) {
        adapt(h2, offered);
    }
    return h2->write_err == 0;
}
