#include "tests/lib/origin_answer.h"

#include "tests/lib/content.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

/* One answer on its way. */
struct answer {
    struct origin_wire *wire;
    struct origin_request *request;
    const struct origin_reply *reply;
    const struct origin_context *context;
    int status;
    bool has_body;
    bool chunked;
    bool close;
    uint64_t seed;
    uint64_t size;   /* of the whole body */
    uint64_t offset; /* the part sent: [offset, end) */
    uint64_t end;
};

static void pause_ms(unsigned ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    if (ms > 0) {
        nanosleep(&wait, NULL);
    }
}

static struct span field(const struct answer *a, const char *name)
{
    return origin_request_field(a->request, name);
}

static struct span method(const struct answer *a)
{
    return origin_head_word(span_of(a->request->head, a->request->head_len), 0);
}

static struct span target(const struct answer *a)
{
    return origin_head_word(span_of(a->request->head, a->request->head_len), 1);
}

static bool has_word(struct span list, const char *word)
{
    while (list.len > 0) {
        if (span_ieq(span_trim(span_cut(&list, ',')), span_str(word))) {
            return true;
        }
    }
    return false;
}

/* --- conditions and ranges ------------------------------------------------------------------- */

static struct span opaque(struct span tag)
{
    return span_starts(tag, SPAN("W/")) ? span_skip(tag, 2) : tag;
}

static bool matches_tag(struct span list, const char *etag)
{
    while (list.len > 0) {
        struct span tag = span_trim(span_cut(&list, ','));
        if (span_eq(tag, SPAN("*")) || span_eq(opaque(tag), opaque(span_str(etag)))) {
            return true;
        }
    }
    return false;
}

static bool not_modified(const struct answer *a)
{
    struct span tags = field(a, "If-None-Match");
    struct span since = field(a, "If-Modified-Since");
    const struct origin_reply *reply = a->reply;

    if (tags.len > 0) {
        return reply->etag && matches_tag(tags, reply->etag);
    }
    return since.len > 0 && reply->last_modified && span_eq(since, span_str(reply->last_modified));
}

static bool range_applies(const struct answer *a)
{
    struct span condition = field(a, "If-Range");
    const struct origin_reply *reply = a->reply;

    return condition.len == 0 || (reply->etag && span_eq(condition, span_str(reply->etag))) ||
           (reply->last_modified && span_eq(condition, span_str(reply->last_modified)));
}

/* "a-b", "a-" or "-n": false when it is no such range; then the whole body is sent. */
static bool parse_range(struct span text, uint64_t size, uint64_t *first, uint64_t *end)
{
    uint64_t last = UINT64_MAX - 1;
    struct span from = span_cut(&text, '-');

    if (from.len == 0) {
        uint64_t suffix;
        if (!span_to_u64(text, UINT64_MAX, &suffix)) {
            return false;
        }
        *first = suffix < size ? size - suffix : 0;
        *end = suffix > 0 ? size : 0;
        return true;
    }
    if (!span_to_u64(from, UINT64_MAX - 1, first) ||
        (text.len > 0 && !span_to_u64(text, UINT64_MAX - 1, &last)) || last < *first) {
        return false;
    }
    *end = last + 1 < size ? last + 1 : size;
    return true;
}

static void apply_range(struct answer *a)
{
    struct span range = field(a, "Range");
    uint64_t first = 0;
    uint64_t end = 0;

    if (!a->reply->ranges || !span_starts(range, SPAN("bytes=")) || !range_applies(a) ||
        !parse_range(span_skip(range, 6), a->size, &first, &end)) {
        return;
    }
    if (first >= end) {
        a->status = 416;
        a->offset = a->end = 0;
        return;
    }
    a->status = 206;
    a->offset = first;
    a->end = end;
}

/* --- the head -------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } known[] = {{200, "OK"},
                 {204, "No Content"},
                 {206, "Partial Content"},
                 {301, "Moved"},
                 {302, "Found"},
                 {304, "Not Modified"},
                 {404, "Not Found"},
                 {416, "Range Not Satisfied"},
                 {500, "Broken"},
                 {503, "Not Available"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].status == status) {
            return known[i].reason;
        }
    }
    return "Whatever";
}

static void put_line(struct buf *head, const char *name, const char *value)
{
    if (value) {
        buf_append(head, span_str(name));
        buf_append(head, SPAN(": "));
        buf_append(head, span_str(value));
        buf_append(head, SPAN("\r\n"));
    }
}

static void put_date(struct buf *head, const struct origin_reply *reply)
{
    char now[64];
    time_t seconds = time(NULL);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(now, sizeof(now), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (reply->date == NULL || reply->date[0] != '\0') {
        put_line(head, "Date", reply->date ? reply->date : now);
    }
}

static void put_framing(const struct answer *a, struct buf *head)
{
    if (a->status == 206) {
        buf_printf(head, "Content-Range: bytes %ju-%ju/%ju\r\n", (uintmax_t)a->offset,
                   (uintmax_t)a->end - 1, (uintmax_t)a->size);
    } else if (a->status == 416) {
        buf_printf(head, "Content-Range: bytes */%ju\r\n", (uintmax_t)a->size);
    }
    if (a->status == 304 || a->status == 204) {
        return;
    }
    if (a->chunked) {
        buf_append(head, SPAN("Transfer-Encoding: chunked\r\n"));
    } else if (!a->reply->until_close) {
        buf_printf(head, "Content-Length: %ju\r\n", (uintmax_t)(a->end - a->offset));
    }
}

static void put_head(const struct answer *a, struct buf *head)
{
    const struct origin_reply *reply = a->reply;

    buf_clear(head);
    buf_append(head, span_str(reply->interim));
    buf_printf(head, "HTTP/1.%c %d %s\r\n", reply->http10 ? '0' : '1', a->status,
               reply->reason ? reply->reason : reason_of(a->status));
    put_date(head, reply);
    put_line(head, "ETag", reply->etag);
    put_line(head, "Last-Modified", reply->last_modified);
    put_line(head, "Accept-Ranges", reply->ranges ? "bytes" : NULL);
    buf_append(head, span_str(reply->headers));
    put_framing(a, head);
    if (reply->close) {
        buf_append(head, SPAN("Connection: close\r\n"));
    }
    buf_append(head, SPAN("\r\n"));
}

/* --- the body -------------------------------------------------------------------------------- */

static struct span piece_at(const struct answer *a, uint64_t offset, size_t len)
{
    if (a->reply->text) {
        return span_of(a->reply->text + offset, len);
    }
    content_fill(a->seed, offset, a->context->piece, len);
    return span_of(a->context->piece, len);
}

/* Up to where the next piece goes: a hold and a cut end one. */
static uint64_t piece_end(const struct answer *a, uint64_t at)
{
    size_t piece = a->reply->piece;
    uint64_t sent = at - a->offset;
    uint64_t end = at + (piece && piece < ORIGIN_PIECE ? piece : ORIGIN_PIECE);

    end = end < a->end ? end : a->end;
    if (a->reply->cut && a->reply->cut_after >= sent && a->offset + a->reply->cut_after < end) {
        end = a->offset + a->reply->cut_after;
    }
    if (a->reply->hold_body && a->reply->hold_after > sent &&
        a->offset + a->reply->hold_after < end) {
        end = a->offset + a->reply->hold_after;
    }
    return end;
}

static bool send_piece(const struct answer *a, uint64_t at, uint64_t end)
{
    struct span head = buf_span(a->context->head);
    struct span piece = piece_at(a, at, (size_t)(end - at));

    if (a->chunked && piece.len > 0) {
        buf_printf(a->context->head, "%zx\r\n", piece.len);
        head = buf_span(a->context->head);
    }
    a->context->sending(a->context->arg, piece.len);
    bool fine = origin_wire_send(a->wire, head, piece);
    buf_clear(a->context->head);
    if (a->chunked && piece.len > 0) { /* leaves with what follows */
        buf_append(a->context->head, SPAN("\r\n"));
    }
    return fine;
}

static bool flush_head(const struct answer *a)
{
    bool fine = origin_wire_send(a->wire, buf_span(a->context->head), SPAN_EMPTY);

    buf_clear(a->context->head);
    return fine;
}

static bool is_cut(const struct answer *a, uint64_t at)
{
    return a->reply->cut && at - a->offset >= a->reply->cut_after;
}

/* The head waits in the buffer for the first piece. */
static bool send_body(const struct answer *a)
{
    uint64_t at = a->offset;
    bool fine = true;

    while (fine && at < a->end && !is_cut(a, at)) {
        if (a->reply->hold_body && at - a->offset == a->reply->hold_after) {
            fine = flush_head(a);
            a->context->wait(a->context->arg);
        }
        uint64_t end = piece_end(a, at);
        fine = fine && send_piece(a, at, end);
        at = end;
        if (at < a->end) {
            pause_ms(a->reply->piece_delay_ms);
        }
    }
    if (is_cut(a, at)) {
        flush_head(a);
        return false;
    }
    if (a->chunked) {
        buf_append(a->context->head, SPAN("0\r\n"));
        buf_append(a->context->head, span_str(a->reply->trailers));
        buf_append(a->context->head, SPAN("\r\n"));
    }
    return fine && flush_head(a);
}

/* --- all of it ------------------------------------------------------------------------------- */

static struct answer prepare(struct origin_wire *wire, struct origin_request *request,
                             const struct origin_reply *reply, const struct origin_context *context)
{
    struct answer a = {.wire = wire, .request = request, .reply = reply, .context = context};

    a.status = reply->status ? reply->status : 200;
    a.size = reply->text ? strlen(reply->text) : reply->size;
    a.end = a.size;
    a.seed = content_seed(reply->seed ? span_str(reply->seed) : target(&a), reply->version);
    bool reads = span_eq(method(&a), SPAN("GET")) || span_eq(method(&a), SPAN("HEAD"));
    if (reads && a.status == 200) {
        apply_range(&a);
    }
    if (reads && a.status / 100 == 2 && not_modified(&a)) {
        a.status = 304;
    }
    a.has_body = !span_eq(method(&a), SPAN("HEAD")) && a.status != 304 && a.status != 204;
    a.chunked = reply->chunked && !reply->http10 && a.status != 304 && a.status != 204;
    a.close =
        reply->close || reply->close_silently || reply->until_close || reply->http10 ||
        has_word(field(&a, "Connection"), "close") ||
        span_eq(origin_head_word(span_of(request->head, request->head_len), 2), SPAN("HTTP/1.0"));
    return a;
}

static bool read_body(struct answer *a)
{
    if (field(a, "Expect").len > 0) {
        if (a->reply->no_continue) {
            a->close = true;
            return true;
        }
        if (!origin_wire_send(a->wire, SPAN("HTTP/1.1 100 Continue\r\n\r\n"), SPAN_EMPTY)) {
            return false;
        }
    }
    return origin_wire_body(a->wire, a->request);
}

static void send_raw(const struct answer *a)
{
    size_t len = a->reply->raw_len ? a->reply->raw_len : strlen(a->reply->raw);

    origin_wire_send(a->wire, span_of(a->reply->raw, len), SPAN_EMPTY);
}

static bool send_answer(const struct answer *a)
{
    put_head(a, a->context->head);
    bool fine = a->has_body ? send_body(a) : flush_head(a);

    if (!fine && a->reply->reset) {
        struct linger now = {.l_onoff = 1};
        setsockopt(a->wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    return fine && !a->close;
}

bool origin_answer(struct origin_wire *wire, struct origin_request *request,
                   const struct origin_reply *reply, const struct origin_context *context)
{
    struct answer a = prepare(wire, request, reply, context);

    if (reply->hold) {
        context->wait(context->arg);
    }
    if (!read_body(&a)) {
        return false;
    }
    context->received(context->arg);
    pause_ms(reply->delay_ms);
    if (reply->raw) {
        send_raw(&a);
        return false;
    }
    return !reply->hang_up && send_answer(&a);
}
