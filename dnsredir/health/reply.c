#include "dnsredir/health/reply.h"

#include "base/err.h"

#define STATUS_LEN 12 /* "HTTP/1.1 200" */

void reply_begin(struct reply *reply)
{
    reply->head_len = 0;
    reply->head_done = false;
    reply->body_left = 0;
    reply->status = 0;
    reply->keep = false;
    reply->has_load = false;
    reply->body = SPAN_EMPTY;
}

static int read_status(struct reply *reply, struct span line)
{
    uint64_t status;

    if (line.len < STATUS_LEN || !span_starts(line, SPAN("HTTP/1.")) || line.at[8] != ' ' ||
        !span_to_u64(span_of(line.at + 9, 3), 599, &status) || status < 100 ||
        (line.len > STATUS_LEN && line.at[STATUS_LEN] != ' ')) {
        return ERR_SYNTAX;
    }
    reply->status = (int)status;
    reply->keep = line.at[7] == '1';
    return 0;
}

/* Reads a header field, if it matters here. With two lengths, or a body without a length, the
 * connection is not kept. */
static void read_field(struct reply *reply, struct span line, bool *has_length)
{
    struct span value = line;
    struct span name = span_cut(&value, ':');

    value = span_trim(value);
    if (span_ieq(name, SPAN("Content-Length"))) {
        if (*has_length || !span_to_u64(value, REPLY_BODY_MAX, &reply->body_left)) {
            reply->keep = false;
        }
        *has_length = true;
    } else if (span_ieq(name, SPAN("Transfer-Encoding"))) {
        reply->keep = false;
    } else if (span_ieq(name, SPAN("Connection"))) {
        reply->keep = reply->keep && span_ieq(value, SPAN("keep-alive"));
    } else if (span_ieq(name, SPAN("Larder-Load"))) {
        reply->has_load = load_report_parse(value, &reply->load) == 0;
    }
}

static int read_head(struct reply *reply, struct span head)
{
    bool has_length = false;
    struct span line = span_cut(&head, '\n');

    int err = read_status(reply, span_take(line, span_find(line, '\r')));
    while (!err && head.len) {
        line = span_cut(&head, '\n');
        read_field(reply, span_take(line, span_find(line, '\r')), &has_length);
    }
    reply->keep = reply->keep && has_length && reply->status >= 200;
    reply->body_left = reply->keep ? reply->body_left : 0;
    return err;
}

/* How many of `bytes` belong to the head, whose end may be split between two calls. */
static size_t take_head(struct reply *reply, struct span bytes)
{
    size_t from = reply->head_len > 3 ? reply->head_len - 3 : 0;
    size_t room = sizeof(reply->head) - reply->head_len;
    size_t len = bytes.len < room ? bytes.len : room;
    size_t before = reply->head_len;

    memcpy(reply->head + before, bytes.at, len);
    reply->head_len += len;
    const char *end = memmem(reply->head + from, reply->head_len - from, "\r\n\r\n", 4);
    if (end) {
        reply->head_done = true;
        reply->head_len = (size_t)(end - reply->head) + 4;
        return reply->head_len - before;
    }
    return len;
}

/* Is it an interim response? Any number of them may precede the final one (RFC 9110 15.2). */
static bool is_interim(const struct reply *reply)
{
    return reply->status < 200 && reply->status != 101;
}

int reply_take(struct reply *reply, struct span bytes)
{
    reply->body = SPAN_EMPTY;
    while (bytes.len && !reply->head_done) {
        bytes = span_skip(bytes, take_head(reply, bytes));
        if (!reply->head_done) {
            return reply->head_len == sizeof(reply->head) ? ERR_SYNTAX : 0;
        }
        int err = read_head(reply, span_of(reply->head, reply->head_len));
        if (err) {
            return err;
        }
        if (is_interim(reply)) {
            reply_begin(reply);
        }
    }
    if (!reply->head_done) {
        return 0;
    }
    reply->body = span_take(bytes, reply->body_left);
    if (bytes.len > reply->body_left) {
        reply->keep = false; /* more than was announced: who knows whose it is */
        reply->body_left = 0;
    } else {
        reply->body_left -= bytes.len;
    }
    return reply->body_left == 0;
}
