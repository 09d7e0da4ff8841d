/*
 * The outgoing messages. Heads are submitted to nghttp2 when the owner sends them; those of
 * responses without their fields, which h2_heads.c encodes. Bodies are pulled when nghttp2 has
 * chosen the stream to send next, and gathered (h2_gather.c), so that frames of many streams leave
 * in one write. Long pieces are written from the memory of their source, without a copy.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "http/put.h"

enum { FIELDS_SMALL = 64, PSEUDO_MAX = 4 };

/* ---- heads ---- */

/* Fields in the form for nghttp2, which copies them and lower-cases names, except where flags say
 * that it need not. */
struct block {
    nghttp2_nv small[FIELDS_SMALL];
    nghttp2_nv *at;
    size_t count;
    uint8_t flags; /* flags for all fields */
    char length[PUT_NUMBER_MAX];
    char status[3];
};

static uint8_t *bytes_of(struct span text)
{
    uint8_t *at;

    memcpy(&at, &text.at, sizeof(at)); /* nghttp2's type is not const, but it does not write */
    return at;
}

static bool is_secret(enum http_field_id id)
{
    return id == FIELD_AUTHORIZATION || id == FIELD_PROXY_AUTHORIZATION || id == FIELD_COOKIE ||
           id == FIELD_SET_COOKIE;
}

static void put(struct block *block, struct span name, struct span value, uint8_t flags)
{
    block->at[block->count++] = (nghttp2_nv){
        .name = bytes_of(name),
        .value = bytes_of(value),
        .namelen = name.len,
        .valuelen = value.len,
        .flags = flags | block->flags,
    };
}

/* Adds a field whose name is static and in lower case, so it is not copied. */
static void put_known(struct block *block, struct span name, struct span value)
{
    put(block, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

static void put_field(struct block *block, const struct http_field *field)
{
    uint8_t secret = is_secret(field->id) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;

    if (field->id == FIELD_OTHER) {
        put(block, field->name, field->value, secret);
        return;
    }
    put(block, http_field_name_small(field->id), field->value,
        (uint8_t)(secret | NGHTTP2_NV_FLAG_NO_COPY_NAME));
}

/* In the server role h2_heads.c owns the dynamic table, so nghttp2 must not index anything. */
static void block_open(struct block *block, const struct h2 *h2, const struct http_head *head)
{
    size_t most = head->fields.count + PSEUDO_MAX + 1;

    block->count = 0;
    block->flags = h2->role == H2_SERVER ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    block->at = most <= FIELDS_SMALL ? block->small : xmalloc(most * sizeof(*block->at));
}

static void block_close(struct block *block)
{
    if (block->at != block->small) {
        free(block->at);
    }
}

static void put_fields(struct block *block, const struct http_head *head)
{
    for (size_t i = 0; i < head->fields.count; i++) {
        const struct http_field *field = &head->fields.at[i];
        if (h2_sends_field(field, head->status == 0)) {
            put_field(block, field);
        }
    }
}

static void put_length(struct block *block, int64_t length)
{
    char *end = put_number(block->length, (uint64_t)length);

    put_known(block, SPAN("content-length"), span_from_to(block->length, end));
}

static void put_status(struct block *block, int status)
{
    block->status[0] = (char)('0' + status / 100);
    block->status[1] = (char)('0' + status / 10 % 10);
    block->status[2] = (char)('0' + status % 10);
    put_known(block, SPAN(":status"), span_of(block->status, sizeof(block->status)));
}

/* The value of Content-Length; -1: none (RFC 9110 8.6). */
static int64_t length_said(const struct h2_stream *stream, const struct http_head *head)
{
    bool is_bodiless = stream->method == METHOD_HEAD || head->status == 304;

    if (head->status < 200 || head->status == 204 ||
        (stream->method == METHOD_CONNECT && head->status / 100 == 2)) {
        return -1;
    }
    if (head->framing == BODY_NONE && !is_bodiless) {
        return 0;
    }
    bool is_known =
        head->framing == BODY_LENGTH || head->framing == BODY_NONE || head->framing == BODY_STREAM;
    return is_known ? head->content_length : -1;
}

static bool has_body(const struct h2_stream *stream, const struct http_head *head,
                     const struct source *source)
{
    return source && head->framing != BODY_NONE && stream->method != METHOD_HEAD &&
           head->status != 204 && head->status != 304 &&
           !(head->framing == BODY_LENGTH && head->content_length == 0);
}

static void begin_body(struct h2_stream *stream, const struct http_head *head,
                       struct source *source)
{
    stream->source = source;
    stream->has_length =
        head->content_length >= 0 && head->framing != BODY_CHUNKED && head->framing != BODY_CLOSE;
    stream->left = stream->has_length ? (uint64_t)head->content_length : 0;
    stream->out_since = loop_now_ms(stream->h2->loop);
}

static void check_submitted(struct h2_stream *stream, int err)
{
    if (err < 0) {
        h2_reset(stream, NGHTTP2_INTERNAL_ERROR, ERR_CLOSED);
    }
}

static bool grants_tunnel(const struct h2_stream *stream, const struct http_head *head)
{
    return stream->in == H2_IN_HOLD &&
           (stream->is_extended ? head->status == 101 : head->status / 100 == 2);
}

/* The head of a response is encoded here when its frame is sent, and not by nghttp2, which makes
 * the frame without fields. A head that needs more than one frame is encoded by nghttp2. */
static int submit_response(struct h2_stream *stream, const struct http_head *head, int64_t length,
                           const nghttp2_data_provider *provider)
{
    nghttp2_session *session = stream->h2->session;
    struct block block;

    if (h2_heads_keep(stream, head, length)) {
        return nghttp2_submit_response(session, stream->id, NULL, 0, provider);
    }
    block_open(&block, stream->h2, head);
    put_status(&block, head->status == 101 ? 200 : head->status);
    put_fields(&block, head);
    if (length >= 0) {
        put_length(&block, length);
    }
    int err = nghttp2_submit_response(session, stream->id, block.at, block.count, provider);
    block_close(&block);
    return err;
}

static void send_response(struct h2_stream *stream, const struct http_head *head,
                          struct source *source)
{
    nghttp2_data_provider provider = h2_session_provider();
    bool is_tunnel = grants_tunnel(stream, head);
    bool is_bodied = is_tunnel || has_body(stream, head, source);
    int64_t length = length_said(stream, head);

    int err = submit_response(stream, head, length, is_bodied ? &provider : NULL);
    if (stream->in == H2_IN_HOLD) {
        h2_set_in(stream, is_tunnel ? H2_IN_RAW : H2_IN_BODY);
        h2_make_ready(stream);
    }
    h2_set_out(stream, is_tunnel ? H2_OUT_RAW : H2_OUT_BODY);
    begin_body(stream, head, source);
    if (is_tunnel) {
        stream->has_length = false;
    }
    check_submitted(stream, err);
}

static void send_request(struct h2_stream *stream, const struct http_head *head,
                         struct source *source)
{
    struct h2 *h2 = stream->h2;
    nghttp2_data_provider provider = h2_session_provider();
    struct block block;
    bool is_bodied = source && head->framing != BODY_NONE;
    struct span method = head->method_text.len ? head->method_text : http_method_text(head->method);

    stream->method = head->method;
    block_open(&block, h2, head);
    put_known(&block, SPAN(":method"), method);
    put_known(&block, SPAN(":scheme"), h2->is_https ? SPAN("https") : SPAN("http"));
    put_known(&block, SPAN(":authority"), fields_get(&head->fields, FIELD_HOST));
    put_known(&block, SPAN(":path"), head->target);
    put_fields(&block, head);
    /* as announced in the head */
    bool is_empty = head->framing == BODY_NONE && head->content_length == 0;
    bool says_length = head->framing == BODY_LENGTH || is_empty ||
                       (head->framing == BODY_STREAM && head->content_length >= 0);
    if (says_length) {
        put_length(&block, head->content_length);
    }
    int32_t id = nghttp2_submit_request(h2->session, NULL, block.at, block.count,
                                        is_bodied ? &provider : NULL, stream);
    block_close(&block);
    h2_set_out(stream, H2_OUT_BODY);
    begin_body(stream, head, source);
    stream->heard = h2->received;
    stream->id = id > 0 ? id : 0;
    h2_greet(h2);
    check_submitted(stream, id);
}

/* ---- calls of the owner, which only record what is wanted ---- */

static void on_wake(void *arg)
{
    struct h2_stream *stream = arg;
    struct h2 *h2 = stream->h2;

    if (stream->is_starved && !stream->is_over && h2->state == H2_OPEN) {
        stream->is_starved = false;
        nghttp2_session_resume_data(h2->session, stream->id);
        h2_kick(h2);
    }
}

static void op_send(struct stream *base, const struct http_head *head, struct source *source)
{
    struct h2_stream *stream = h2_stream_of(base);
    struct h2 *h2 = stream->h2;

    CHECK(stream->out == H2_OUT_WAIT && !stream->is_detached);
    if (source) {
        source_on_wake(source, on_wake, stream);
    }
    if (stream->is_over || stream->is_mute || h2->state != H2_OPEN) {
        stream->source = source; /* dropped at the end of the stream, which is near */
        h2_set_out(stream, H2_OUT_BODY);
    } else if (h2->role == H2_SERVER) {
        CHECK(stream->is_extended ? head->status == 101 || head->status >= 300
                                  : head->status >= 200);
        send_response(stream, head, source);
    } else {
        send_request(stream, head, source);
    }
    h2_kick(h2);
}

static void op_send_interim(struct stream *base, const struct http_head *head)
{
    struct h2_stream *stream = h2_stream_of(base);
    struct h2 *h2 = stream->h2;
    struct block block;

    CHECK(h2->role == H2_SERVER && stream->out == H2_OUT_WAIT);
    CHECK(head->status >= 100 && head->status < 200 && head->status != 101);
    bool has_room =
        /* interim responses may be omitted (RFC 9110 15.2): a peer that reads nothing gets none */
        h2->held <= H2_MEMORY_FULL;
    if (stream->is_over || stream->is_mute || h2->state != H2_OPEN || !has_room) {
        return;
    }
    block_open(&block, h2, head);
    put_status(&block, head->status);
    put_fields(&block, head);
    nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL, block.at, block.count,
                           NULL);
    block_close(&block);
    stream->in_since = loop_now_ms(h2->loop);
    h2_kick(h2);
}

static void op_resume(struct stream *base)
{
    struct h2_stream *stream = h2_stream_of(base);

    if (stream->is_paused) {
        stream->is_paused = false;
        stream->in_since = loop_now_ms(stream->h2->loop);
        h2_make_ready(stream);
        h2_kick(stream->h2);
    }
}

static void op_close(struct stream *base, int err)
{
    struct h2_stream *stream = h2_stream_of(base);

    stream->is_detached = true;
    h2_drop_source(stream);
    if (err == ERR_CLOSED && !h2_is_tunnel(stream)) {
        h2_reset(stream, NGHTTP2_CANCEL, err);
    } else {
        h2_break_off(stream, err);
    }
    h2_make_ready(stream);
    h2_kick(stream->h2);
}

const struct stream_ops h2_stream_ops = {
    .send_interim = op_send_interim,
    .send = op_send,
    .resume = op_resume,
    .close = op_close,
};

void h2_out_refuse(struct h2_stream *stream, const struct h1_error *error)
{
    struct h2 *h2 = stream->h2;
    struct http_head head;

    head_init(&head, &h2->incoming->arena);
    fields_add_id(&head.fields, FIELD_DATE, loop_date(h2->loop));
    if (h2->events->on_bad_head) {
        h2->events->on_bad_head(h2->owner, error, &head, &stream->page);
    }
    if (h2->events->on_refused) {
        h2->events->on_refused(h2->owner, error, buf_len(&stream->page));
    }
    head.status = error->status;
    head.framing = BODY_LENGTH;
    head.content_length = (int64_t)buf_len(&stream->page);
    source_memory_init(&stream->page_source, buf_span(&stream->page));
    send_response(stream, &head, &stream->page_source.source);
}

/* ---- bodies ---- */

/* The next bytes of the body that were not promised to nghttp2 so far. Results as of
 * source_peek(). */
static int next_span(struct h2_stream *stream, struct span *out)
{
    *out = SPAN_EMPTY;
    if (stream->source == NULL || (stream->has_length && stream->left == 0)) {
        return 0;
    }
    if (stream->promised == stream->span.len) {
        if (stream->gathered && !h2_flush(stream->h2)) {
            return ERR_CLOSED;
        }
        int err = source_peek(stream->source, &stream->span);
        if (err) {
            stream->span = SPAN_EMPTY;
            return err;
        }
    }
    *out = span_skip(stream->span, stream->promised);
    if (stream->has_length) {
        *out = span_take(*out, stream->left < SIZE_MAX ? (size_t)stream->left : SIZE_MAX);
    }
    return 0;
}

/* Sends trailers: a HEADERS frame that ends the stream instead of DATA. */
static bool send_trailers(struct h2_stream *stream)
{
    const struct stream_events *events = stream->stream.events;
    const struct http_fields *fields;
    struct http_head behind = {0};
    struct block block;

    if (stream->has_length || stream->out != H2_OUT_BODY || stream->is_detached ||
        !events->trailers || !(fields = events->trailers(stream->stream.owner)) || !fields->count) {
        return false;
    }
    behind.fields = *fields;
    block_open(&block, stream->h2, &behind);
    put_fields(&block, &behind);
    int err = nghttp2_submit_trailer(stream->h2->session, stream->id, block.at, block.count);
    block_close(&block);
    check_submitted(stream, err);
    return true;
}

static ssize_t end_body(struct h2_stream *stream, uint32_t *flags)
{
    if (stream->has_length && stream->left > 0) {
        h2_break_off(stream, ERR_TRUNCATED);
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_COPY;
    if (send_trailers(stream)) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
    return 0;
}

ssize_t h2_out_read(struct h2_stream *stream, size_t length, uint32_t *flags)
{
    struct span next;

    if (stream->is_mute) {
        return NGHTTP2_ERR_DEFERRED;
    }
    int err = next_span(stream, &next);
    if (err == ERR_AGAIN) {
        stream->is_starved = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (err) {
        h2_break_off(stream, err);
        return NGHTTP2_ERR_DEFERRED;
    }
    if (next.len == 0) {
        return end_body(stream, flags);
    }
    size_t n = next.len < length ? next.len : length;
    stream->promised += n;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (stream->has_length) {
        stream->left -= n;
        *flags |= stream->left == 0 ? NGHTTP2_DATA_FLAG_EOF : 0u;
    }
    return (ssize_t)n;
}
