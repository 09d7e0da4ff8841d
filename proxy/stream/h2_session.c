/*
 * The nghttp2 session of a connection, and its callbacks: each finds the stream concerned and
 * passes the event on. Also counts useless frames of the peer.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/err.h"

#include <pthread.h>

enum {
    /* most CONTINUATION frames of one block, besides the limit of its size */
    MAX_CONTINUATIONS = 32,
    DEFLATE_TABLE = 4096,
    BLOCK_MAX = 4 << 20, /* more than limits.head and our own fields can need */
};

/* ---- useless frames ---- */

/* Counts an offence. False: the limit is exceeded, and nothing more is read. */
static bool allow(struct h2 *h2, enum h2_offence offence)
{
    if (h2_guard_allows(&h2->guard, offence, loop_now_ms(h2->loop))) {
        return true;
    }
    h2_offend(h2, offence, NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

static bool is_empty(const nghttp2_frame_hd *hd)
{
    bool is_content =
        hd->type == NGHTTP2_DATA || hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION;

    return is_content && hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM);
}

/* Is it a DATA frame of padding only? */
static bool is_hollow(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_DATA && frame->hd.length > 0 &&
           frame->data.padlen == frame->hd.length && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
}

/* Is it a header block for a stream that is over? nghttp2 skips it without reporting it. */
static bool is_reuse(const struct h2 *h2, const nghttp2_frame_hd *hd)
{
    return hd->stream_id <= nghttp2_session_get_last_proc_stream_id(h2->session) &&
           nghttp2_session_find_stream(h2->session, hd->stream_id) == NULL;
}

static bool allow_frame(struct h2 *h2, const nghttp2_frame_hd *hd)
{
    if (is_empty(hd) && !allow(h2, H2_OFFENCE_EMPTY)) {
        return false;
    }
    switch (hd->type) {
    case NGHTTP2_DATA:
    case NGHTTP2_PUSH_PROMISE:
        return true;
    case NGHTTP2_HEADERS:
        return h2->role == H2_CLIENT || !is_reuse(h2, hd) || allow(h2, H2_OFFENCE_REUSE);
    case NGHTTP2_GOAWAY:
        return allow(h2, H2_OFFENCE_GOAWAYS);
    case NGHTTP2_RST_STREAM:
        return h2->role == H2_CLIENT || allow(h2, H2_OFFENCE_RESETS);
    case NGHTTP2_SETTINGS:
        return hd->flags & NGHTTP2_FLAG_ACK || allow(h2, H2_OFFENCE_SETTINGS);
    case NGHTTP2_PING:
        return allow(h2, H2_OFFENCE_PINGS);
    case NGHTTP2_PRIORITY:
    case NGHTTP2_PRIORITY_UPDATE:
        return allow(h2, H2_OFFENCE_PRIORITIES);
    case NGHTTP2_WINDOW_UPDATE:
        return allow(h2, H2_OFFENCE_WINDOW_UPDATES);
    case NGHTTP2_CONTINUATION:
        return allow(h2, H2_OFFENCE_CONTINUATIONS);
    default:
        return allow(h2, H2_OFFENCE_UNKNOWN);
    }
}

/* ---- callbacks ---- */

static int proceed(const struct h2 *h2)
{
    return h2->is_deaf || h2->state != H2_OPEN ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* Events of one stream usually come in several callbacks, one after the other, so the stream found
 * last is remembered. */
struct h2_stream *h2_stream_with(struct h2 *h2, int32_t id)
{
    if (h2->found == NULL || h2->found->id != id) {
        h2->found = nghttp2_session_get_stream_user_data(h2->session, id);
    }
    return h2->found;
}

/* Is it a frame that nghttp2 ignores although RFC 9113 6.3 calls it an error? */
static bool is_misplaced(const nghttp2_frame_hd *hd)
{
    return hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct h2 *h2 = user;

    if (is_misplaced(hd)) {
        h2_offend(h2, H2_OFFENCE_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
    }
    return allow_frame(h2, hd) ? proceed(h2) : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h2 = user;
    int err = h2_in_begin_headers(h2, frame);

    return err ? err : proceed(h2);
}

/* If enough is queued, the rest of the received bytes waits, beginning with the next request. */
static bool has_enough(const struct h2 *h2)
{
    return h2->has_taken && h2->held > H2_MEMORY_FULL;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                    void *user)
{
    struct h2 *h2 = user;

    h2_in_field(h2, span_of((const char *)name, name_len), span_of((const char *)value, value_len));
    int err = proceed(h2);
    if (!err && has_enough(h2)) {
        h2->has_paused = true;
        return NGHTTP2_ERR_PAUSE;
    }
    return err;
}

/* A PRIORITY_UPDATE for stream 0 is a protocol error (RFC 9218 7.1). */
static bool is_update_of_nothing(const nghttp2_frame *frame)
{
    if (frame->hd.type != NGHTTP2_PRIORITY_UPDATE) {
        return false;
    }
    const nghttp2_ext_priority_update *update = frame->ext.payload;
    return update->stream_id == 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    struct h2 *h2 = user;

    h2->why = nghttp2_strerror(error);
    if (frame->hd.type == NGHTTP2_HEADERS) {
        h2_in_invalid(h2);
    }
    return proceed(h2);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h2 = user;
    struct h2_stream *stream = h2_stream_with(h2, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_HEADERS) {
        h2_in_headers(h2, frame);
        stream = h2_stream_with(h2, frame->hd.stream_id);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        h2->is_leaving = true;
    } else if (frame->hd.type == NGHTTP2_SETTINGS) {
        h2_heads_heed(h2, &frame->settings);
    } else if (is_update_of_nothing(frame)) {
        h2_offend(h2, H2_OFFENCE_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
    } else if (is_hollow(frame)) {
        allow(h2, H2_OFFENCE_EMPTY);
    }
    bool is_content = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    h2->has_told |= is_content;
    if (is_content && stream && !stream->is_over) {
        stream->stream.received += frame->hd.length;
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
            h2_in_end(stream);
        }
    }
    if (h2->role == H2_CLIENT && h2->events && h2->events->on_room && !is_content) {
        h2->events->on_room(h2->owner);
    }
    return proceed(h2);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    struct h2 *h2 = user;
    struct h2_stream *stream = h2_stream_with(h2, id);

    nghttp2_session_consume_connection(session, len);
    if (stream) {
        h2_in_data(stream, span_of((const char *)data, len));
    } else {
        nghttp2_session_consume_stream(session, id, len);
    }
    return proceed(h2);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2 *h2 = user;
    struct h2_stream *stream = h2_stream_with(h2, id);

    h2->found = NULL;
    if (stream) {
        stream->is_over = true;
        stream->code = code;
        h2_in_forget_block(stream);
        h2_make_ready(stream);
    }
    return 0;
}

/* A head that could not be sent would leave the peer waiting for ever. */
static int on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error,
                             void *user)
{
    struct h2_stream *stream = h2_stream_with(user, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_HEADERS && stream) {
        h2_reset(stream, NGHTTP2_INTERNAL_ERROR, ERR_CLOSED);
    }
    return 0;
}

/* nghttp2 ends the connection; the reason is in its GOAWAY, in its own words. */
static void give_up(struct h2 *h2, const nghttp2_goaway *goaway)
{
    struct span said = span_of((const char *)goaway->opaque_data, goaway->opaque_data_len);

    if (!h2->is_deaf) {
        h2->is_deaf = true;
        h2_say_offence(h2, H2_OFFENCE_PROTOCOL,
                       said.len  ? span_take(said, H2_WHY_MAX)
                       : h2->why ? span_str(h2->why)
                                 : SPAN("-"));
    }
}

/* The peer is held responsible for resets that it has caused, but not for a failing origin or disk,
 * or for lack of memory. An excused stream may still be reset because of what the peer sends; that
 * has another error code. */
static void count_reset(struct h2 *h2, const struct h2_stream *stream, uint32_t code)
{
    if (code == NGHTTP2_REFUSED_STREAM && h2->refusals > 0) {
        h2->refusals--;
        return;
    }
    bool is_excused = stream && stream->is_excused &&
                      (code == NGHTTP2_INTERNAL_ERROR || code == NGHTTP2_CONNECT_ERROR);

    if (is_excused && code == NGHTTP2_INTERNAL_ERROR && h2->events && h2->events->on_broken) {
        h2->events->on_broken(h2->owner);
    }
    if (!is_excused && code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL) {
        allow(h2, H2_OFFENCE_OUR_RESETS);
    }
}

static int on_frame_made(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    h2_heads_begin(user, frame);
    return 0;
}

/* Frames that nghttp2 sends because of an error of the peer count as offences of the peer. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h2 = user;
    struct h2_stream *stream = h2_stream_with(h2, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_HEADERS && stream) {
        stream->stream.sent += frame->hd.length;
        stream->is_sent |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (stream->is_sent) {
            h2_make_ready(stream);
        }
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        count_reset(h2, stream, frame->rst_stream.error_code);
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        give_up(h2, &frame->goaway);
    }
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2_stream *stream = h2_stream_with(user, id);

    return stream ? h2_out_read(stream, length, flags) : NGHTTP2_ERR_DEFERRED;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *user)
{
    struct h2_stream *stream = h2_stream_with(user, frame->hd.stream_id);

    return stream ? h2_gather_frame(stream, frame, head, length)
                  : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

nghttp2_data_provider h2_session_provider(void)
{
    return (nghttp2_data_provider){.read_callback = read_body};
}

/* ---- common to all sessions ---- */

static struct {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *server;
    nghttp2_option *client;
} common;
static pthread_once_t common_once = PTHREAD_ONCE_INIT;

/* Frames of unknown types are reported at their beginning, so that they are counted, and then
 * skipped. */
static int skip_unknown(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
                        void *user)
{
    return NGHTTP2_ERR_CANCEL;
}

static void hear_of_unknown(nghttp2_option *option)
{
    enum { FIRST = 0x0a, TYPES = 0x100 };

    for (int type = FIRST; type < TYPES; type++) {
        if (type != NGHTTP2_PRIORITY_UPDATE) {
            nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
        }
    }
}

static nghttp2_option *options_for(enum h2_role role)
{
    nghttp2_option *option;

    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_continuations(option, MAX_CONTINUATIONS);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, DEFLATE_TABLE);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, BLOCK_MAX);
    hear_of_unknown(option);
    if (role == H2_SERVER) {
        /* Requests are checked in http/h2_head.c and h2_in.c. */
        nghttp2_option_set_no_http_messaging(option, 1);
        nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    }
    return option;
}

static void make_common(void)
{
    nghttp2_session_callbacks *callbacks;

    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_frame_made);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, skip_unknown);
    common.callbacks = callbacks;
    common.server = options_for(H2_SERVER);
    common.client = options_for(H2_CLIENT);
}

static void say_settings(struct h2 *h2)
{
    const nghttp2_settings_entry server[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2->settings->streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h2->settings->limits.head},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    const nghttp2_settings_entry client[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_CLIENT_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h2->settings->limits.head},
    };
    bool is_server = h2->role == H2_SERVER;

    CHECK(nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, is_server ? server : client,
                                  is_server ? ARRAY_LEN(server) : ARRAY_LEN(client)) == 0);
    CHECK(nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                (int32_t)H2_CONNECTION_WINDOW) == 0);
}

void h2_session_open(struct h2 *h2)
{
    nghttp2_mem memory = h2_memory(h2);
    bool is_server = h2->role == H2_SERVER;

    pthread_once(&common_once, make_common);
    h2_memory_open(h2);
    h2->is_opening = true;
    int err = is_server ? nghttp2_session_server_new3(&h2->session, common.callbacks, h2,
                                                      common.server, &memory)
                        : nghttp2_session_client_new3(&h2->session, common.callbacks, h2,
                                                      common.client, &memory);
    CHECK(err == 0);
    h2->is_opening = false;
    say_settings(h2);
}
