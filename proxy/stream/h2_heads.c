/*
 * The heads of responses, encoded (http/hpack.h) when their frames are sent. The frames are queued
 * by nghttp2, which keeps the states of streams. It is given no fields, so it makes a HEADERS frame
 * whose block is empty, or holds only the change of the table's size that the peer has asked for:
 * that must be first in a block (RFC 7541 4.2). The fields are put behind it.
 *
 * The dynamic table has one writer, as it must: whatever else nghttp2 sends to a client (interim
 * responses, trailers, heads that need more than one frame) is submitted as never to be indexed.
 */
#include "proxy/stream/h2_conn.h"

#include "base/pool.h"
#include "http/put.h"

enum {
    FRAME_HEAD = 9,
    FRAME_MAX = 16384, /* the smallest limit for frames that a peer may set (RFC 9113 4.2) */
    SIZE_CHANGES = 32, /* room for the dynamic table size updates that nghttp2 writes */
};

/* ---- keeping heads ---- */

/* Enough bytes for either form of the fields: kept or encoded. */
static size_t most_of(const struct http_head *head)
{
    size_t most = 2 * HPACK_FRAMING + PUT_NUMBER_MAX; /* :status and Content-Length */

    for (size_t i = 0; i < head->fields.count; i++) {
        const struct http_field *field = &head->fields.at[i];
        most += HPACK_FRAMING + field->name.len + field->value.len;
    }
    return most;
}

static char *keep_length(char *at, int64_t length)
{
    char digits[PUT_NUMBER_MAX];
    char *end = put_number(digits, (uint64_t)length);

    return hpack_keep(
        at, &(struct http_field){.id = FIELD_CONTENT_LENGTH, .value = span_from_to(digits, end)});
}

bool h2_heads_keep(struct h2_stream *stream, const struct http_head *head, int64_t length)
{
    size_t most = most_of(head);

    if (most > FRAME_MAX - SIZE_CHANGES) {
        return false;
    }
    struct h2_kept *kept = h2_memory_take(stream->h2, sizeof(*kept) + most);
    char *at = kept->fields;
    for (size_t i = 0; i < head->fields.count; i++) {
        if (h2_sends_field(&head->fields.at[i], false)) {
            at = hpack_keep(at, &head->fields.at[i]);
        }
    }
    if (length >= 0) {
        at = keep_length(at, length);
    }
    kept->len = (size_t)(at - kept->fields);
    kept->most = most;
    kept->status = head->status == 101 ? 200 : head->status;
    stream->kept = kept;
    return true;
}

void h2_heads_drop(struct h2_stream *stream)
{
    h2_memory_give(stream->h2, stream->kept);
    stream->kept = NULL;
    if (stream->h2->headed == stream) {
        stream->h2->headed = NULL;
    }
}

/* ---- encoding ---- */

void h2_heads_begin(struct h2 *h2, const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.nvlen == 0) {
        struct h2_stream *stream = h2_stream_with(h2, frame->hd.stream_id);
        h2->headed = stream && stream->kept ? stream : NULL;
    }
}

static struct hpack_table *table_of(struct h2 *h2)
{
    if (h2->table == NULL && !h2->is_untabled) {
        h2->table = pool_take(loop_pool(h2->loop), sizeof(*h2->table));
        hpack_table_init(h2->table);
    }
    return h2->table;
}

static void put_frame_length(char *head, size_t length)
{
    head[0] = (char)(length >> 16);
    head[1] = (char)(length >> 8);
    head[2] = (char)length;
}

void h2_heads_gather(struct h2 *h2, struct span frame)
{
    struct h2_stream *stream = h2->headed;

    if (stream == NULL) {
        h2_gather_copy(h2, frame);
        return;
    }
    const struct h2_kept *kept = stream->kept;
    char *begin = buf_reserve(loop_out(h2->loop), frame.len + kept->most);
    char *fields = put_span(begin, frame);
    char *end = hpack_put_status(fields, kept->status);
    end = hpack_encode(table_of(h2), span_of(kept->fields, kept->len), end);
    put_frame_length(begin, (size_t)(end - begin) - FRAME_HEAD);
    buf_commit(loop_out(h2->loop), (size_t)(end - begin));
    h2_gather_written(h2, (size_t)(end - begin));
    stream->stream.sent += (size_t)(end - fields);
    h2_heads_drop(stream);
}

/* ---- the table ---- */

/* A frame may contain the same setting twice, so all are examined. nghttp2 tells the peer that the
 * table shrinks, at the beginning of the next header block; here the table is only not used any
 * more. */
void h2_heads_heed(struct h2 *h2, const nghttp2_settings *settings)
{
    for (size_t i = 0; i < settings->niv && h2->role == H2_SERVER; i++) {
        const nghttp2_settings_entry *entry = &settings->iv[i];
        if (entry->settings_id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE &&
            entry->value < HPACK_TABLE) {
            h2->is_untabled = true;
            h2_heads_forget(h2);
        }
    }
}

void h2_heads_forget(struct h2 *h2)
{
    if (h2->table) {
        pool_give(loop_pool(h2->loop), h2->table, sizeof(*h2->table));
        h2->table = NULL;
    }
}
