/*
 * The incoming messages: header blocks become heads; DATA is handed to the owner of the stream, or
 * held.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "http/priority.h"

/* ---- header blocks ---- */

void h2_in_forget_block(struct h2_stream *stream)
{
    struct h2 *h2 = stream->h2;

    if (h2->incoming && h2->incoming->stream == stream) {
        h2_in_drop_block(h2);
    }
}

void h2_in_drop_block(struct h2 *h2)
{
    if (h2->incoming) {
        arena_fini(&h2->incoming->arena);
        pool_give(loop_pool(h2->loop), h2->incoming, sizeof(*h2->incoming));
        h2->incoming = NULL;
    }
}

static void open_block(struct h2 *h2, struct h2_stream *stream, enum h2_block_kind kind)
{
    struct h2_incoming *incoming = pool_take(loop_pool(h2->loop), sizeof(*incoming));

    h2_in_drop_block(h2);
    h2->incoming = incoming;
    arena_init(&incoming->arena, incoming->first, sizeof(incoming->first));
    arena_count(&incoming->arena, MEMORY_BUFFERS);
    incoming->stream = stream;
    incoming->since = loop_now_ms(h2->loop);
    h2_block_begin(&incoming->block, kind, &incoming->arena, &h2->settings->limits);
    incoming->block.known = &h2->known;
}

/* Refuses a stream with REFUSED_STREAM: nothing was processed, so the client may send the request
 * again (RFC 9113 8.7). */
static int refuse(struct h2 *h2, int32_t id)
{
    h2->refusals++;
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Each request holds memory until the client has opened its window, even if it is answered from
 * memory. So while memory is over its limit, a connection may have only one request at a time. */
static int begin_request(struct h2 *h2, int32_t id)
{
    if (h2->stream_count > 0 && memory_is_over()) {
        return refuse(h2, id);
    }
    /* also counts streams that are over but not freed so far */
    if (h2->stream_count >= 2 * (size_t)h2->settings->streams) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    struct h2_stream *stream = h2_stream_new(h2, H2_IN_BODY);
    stream->id = id;
    stream->is_detached = true; /* until on_stream has bound it */
    nghttp2_session_set_stream_user_data(h2->session, id, stream);
    h2->found = stream;
    open_block(h2, stream, H2_BLOCK_REQUEST);
    return 0;
}

int h2_in_begin_headers(struct h2 *h2, const nghttp2_frame *frame)
{
    int32_t id = frame->hd.stream_id;

    if (frame->hd.type != NGHTTP2_HEADERS) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* a push, which our SETTINGS forbid */
    }
    if (h2->role == H2_SERVER && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        return begin_request(h2, id);
    }
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2->session, id);
    bool is_response = h2->role == H2_CLIENT && stream && stream->in == H2_IN_HEAD;
    open_block(h2, stream, is_response ? H2_BLOCK_RESPONSE : H2_BLOCK_TRAILERS);
    return 0;
}

void h2_in_field(struct h2 *h2, struct span name, struct span value)
{
    if (h2->incoming == NULL) {
        return;
    }
    h2_block_add(&h2->incoming->block, name, value);
    if (h2_block_is_bomb(&h2->incoming->block)) {
        h2_offend(h2, H2_OFFENCE_HEADER_LIST, NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

/* ---- heads ---- */

/* RFC 9218 10: responses to requests without a priority are sent in turns, so that a small one is
 * not stuck behind a large one. */
static void set_priority(struct h2 *h2, const struct h2_stream *stream,
                         const struct http_head *head)
{
    struct priority said = {.urgency = PRIORITY_DEFAULT, .incremental = true};

    priority_read(&head->fields, &said);
    const nghttp2_extpri priority = {.urgency = said.urgency, .inc = said.incremental};
    nghttp2_session_change_extpri_stream_priority(h2->session, stream->id, &priority, 0);
}

static void take_request(struct h2 *h2, struct h2_stream *stream, const struct http_head *head)
{
    h2->has_taken = true;
    set_priority(h2, stream, head);
    stream->method = head->method;
    stream->is_extended = head->upgrade;
    if (head->upgrade) {
        stream->method = METHOD_CONNECT; /* the method in the HTTP/2 request */
    }
    if (stream->method == METHOD_CONNECT) {
        stream->in = H2_IN_HOLD; /* the initial state of a tunnel */
    } else if (head->content_length >= 0) {
        stream->is_announced = true;
        stream->awaited = (uint64_t)head->content_length;
    }
    h2->events->on_stream(h2->owner, &stream->stream);
    stream->is_detached = false;
    stream->stream.events->on_head(stream->stream.owner, head);
}

static void take_response(struct h2_stream *stream, const struct http_head *head)
{
    if (head->status < 200) {
        if (pace_interims_flood(&stream->interims, loop_now_ms(stream->h2->loop))) {
            h2_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM, ERR_SYNTAX);
            return;
        }
    } else {
        h2_set_in(stream, H2_IN_BODY);
    }
    if (!stream->is_detached) {
        stream->stream.events->on_head(stream->stream.owner, head);
    }
}

/* Delivers trailers at once, though bytes of the body before them may still be held. */
static void take_trailers(struct h2_stream *stream, const struct http_fields *fields)
{
    if (stream->in == H2_IN_BODY && fields->count && !stream->is_detached &&
        stream->stream.events->on_trailers) {
        stream->stream.events->on_trailers(stream->stream.owner, fields);
    }
}

/* Tells the owner of a bad request, so that it is counted and logged; no response is sent. */
static void tell_bad_head(struct h2 *h2, const struct h2_block *block)
{
    if (block->kind == H2_BLOCK_REQUEST && h2->events && h2->events->on_bad_head) {
        struct http_head head;
        struct buf page = BUF_INIT;
        head_init(&head, block->head.fields.arena);
        h2->events->on_bad_head(h2->owner, &block->error, &head, &page);
        buf_fini(&page);
    }
    if (block->kind == H2_BLOCK_REQUEST && h2->events && h2->events->on_refused) {
        h2->events->on_refused(h2->owner, &block->error, 0);
    }
}

/* A malformed block is a stream error (RFC 9113 8.1.1); a request that is too large is answered
 * with its status. */
static void refuse_block(struct h2 *h2, struct h2_stream *stream, const struct h2_block *block)
{
    bool is_large = block->error.status == 414 || block->error.status == 431;

    if (block->kind == H2_BLOCK_REQUEST && is_large) {
        stream->method = block->head.method; /* the answer to HEAD has no body */
        h2_out_refuse(stream, &block->error);
        return;
    }
    h2_reset(stream, NGHTTP2_PROTOCOL_ERROR, ERR_SYNTAX);
    tell_bad_head(h2, block);
}

void h2_in_invalid(struct h2 *h2)
{
    struct h2_incoming *incoming = h2->incoming;

    if (incoming == NULL) {
        return;
    }
    struct h2_block *block = &incoming->block;
    if (block->error.status == 0) {
        block->error = (struct h1_error){400, "The fields are not those of an HTTP/2 message"};
    }
    if (incoming->stream && incoming->stream->err == 0) {
        incoming->stream->err = ERR_SYNTAX;
    }
    tell_bad_head(h2, block);
    h2_in_drop_block(h2);
}

void h2_in_headers(struct h2 *h2, const nghttp2_frame *frame)
{
    struct h2_incoming *incoming = h2->incoming;
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (incoming == NULL) {
        return;
    }
    struct h2_stream *stream = incoming->stream;
    struct h2_block *block = &incoming->block;
    if (stream && !stream->is_over && !stream->is_mute) {
        stream->in_since = loop_now_ms(h2->loop);
        if (!h2_block_end(block, is_last)) {
            refuse_block(h2, stream, block);
        } else if (block->kind == H2_BLOCK_REQUEST) {
            take_request(h2, stream, &block->head);
        } else if (block->kind == H2_BLOCK_RESPONSE) {
            take_response(stream, &block->head);
        } else {
            take_trailers(stream, &block->head.fields);
        }
    }
    h2_in_drop_block(h2);
}

/* ---- bodies ---- */

static void hand_on(struct h2_stream *stream, struct span bytes)
{
    struct h2 *h2 = stream->h2;

    stream->is_paused = stream->stream.events->on_data(stream->stream.owner, bytes) == STREAM_PAUSE;
    stream->owed += bytes.len;
    if (!stream->is_paused && !stream->is_over && h2->state == H2_OPEN) {
        nghttp2_session_consume_stream(h2->session, stream->id, stream->owed);
        stream->owed = 0;
    }
}

/* RFC 9113 8.1.1: the request is malformed, as its body has not the announced length. */
static void refuse_length(struct h2_stream *stream)
{
    h2_reset(stream, NGHTTP2_PROTOCOL_ERROR, ERR_SYNTAX);
}

static void count_announced(struct h2_stream *stream, size_t len)
{
    if (stream->is_announced && len > stream->awaited) {
        refuse_length(stream);
    } else if (stream->is_announced) {
        stream->awaited -= len;
    }
}

void h2_in_data(struct h2_stream *stream, struct span bytes)
{
    struct h2 *h2 = stream->h2;
    bool takes = stream->in == H2_IN_BODY || stream->in == H2_IN_RAW;

    count_announced(stream, bytes.len);
    if (!stream->is_announced ||
        pace_has_come(&stream->in_seen, bytes.len, h2->settings->times.body_ms)) {
        stream->in_since = loop_now_ms(h2->loop);
    }
    pace_in_add(&stream->in_pace, bytes.len, loop_now_ms(h2->loop));
    if (stream->is_detached || stream->is_mute || stream->in == H2_IN_DONE) {
        /* the bytes are discarded, and only the window is reopened */
        nghttp2_session_consume_stream(h2->session, stream->id, bytes.len);
    } else if (!takes || stream->is_paused || buf_len(&stream->held) > 0) {
        buf_append(&stream->held, bytes);
        h2_count_held(stream);
    } else {
        hand_on(stream, bytes);
    }
}

static void finish_in(struct h2_stream *stream)
{
    h2_set_in(stream, H2_IN_DONE);
    if (!stream->is_detached) {
        stream->stream.events->on_end(stream->stream.owner);
    }
    h2_make_ready(stream);
}

/* END_STREAM has arrived, possibly with the head itself. */
void h2_in_end(struct h2_stream *stream)
{
    if (stream->is_announced && stream->awaited > 0) {
        refuse_length(stream);
        return;
    }
    stream->has_ended = true;
    h2_make_ready(stream);
}

static void hand_held(struct h2_stream *stream)
{
    struct buf held = stream->held;

    stream->held = BUF_INIT;
    pace_in_begin(&stream->in_pace, loop_now_ms(stream->h2->loop));
    hand_on(stream, buf_span(&held));
    buf_fini(&held);
    h2_count_held(stream);
}

/* The end of a message is delivered even if the owner has paused, as it needs no room. */
bool h2_in_deliver(struct h2_stream *stream)
{
    bool takes = stream->in == H2_IN_BODY || stream->in == H2_IN_RAW;

    if (!takes || stream->is_mute) {
        return false;
    }
    if (stream->is_detached) {
        buf_fini(&stream->held);
        h2_count_held(stream);
    }
    if (buf_len(&stream->held) > 0) {
        if (stream->is_paused) {
            return false;
        }
        hand_held(stream);
        return true;
    }
    if (stream->has_ended) {
        finish_in(stream);
        return true;
    }
    if (stream->owed && !stream->is_over && !stream->is_paused) {
        nghttp2_session_consume_stream(stream->h2->session, stream->id, stream->owed);
        stream->owed = 0;
        pace_in_begin(&stream->in_pace, loop_now_ms(stream->h2->loop));
    }
    return false;
}

void h2_in_finish(struct h2_stream *stream)
{
    if (stream->in != H2_IN_BODY || !stream->has_ended || stream->is_detached || stream->err) {
        return;
    }
    if (buf_len(&stream->held) > 0) {
        hand_held(stream);
    }
    if (!stream->is_detached) {
        finish_in(stream);
    }
}
