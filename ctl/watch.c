#include "ctl/watch.h"

#include "base/err.h"
#include "ctl/ask.h"
#include "ctl/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { HEAD_MAX = 64 << 10, LINE_MAX_BYTES = 1 << 20 };

/* ---- the question ---- */

void watch_path(const struct ctl_options *options, struct buf *out)
{
    buf_append(out, SPAN("/tail"));
    question_add(out, "host", options->host);
    question_add(out, "path", options->path);
    question_add(out, "client", options->client);
    question_add(out, "outcome", options->outcome);
    question_add(out, "reason", options->reason);
    question_add(out, "status", options->status);
    question_add(out, "slower", options->slower);
    buf_append(out, SPAN("\0"));
}

bool watch_count(const struct ctl_options *options, uint64_t *out)
{
    *out = UINT64_MAX;
    if (options->count && (!span_to_u64(span_str(options->count), UINT64_MAX - 1, out) || !*out)) {
        fprintf(stderr, "larderctl: --count %s is not a number; expected 1 or more\n",
                options->count);
        return false;
    }
    return true;
}

int watch_open(struct watch *watch, const struct ctl_options *options, struct buf *why)
{
    struct timeval for_ever = {0};
    struct buf path = BUF_INIT;

    *watch = (struct watch){.admin = options->admin};
    watch_path(options, &path);
    watch->fd = fetch_begin(watch->admin, "GET", path.data, why);
    buf_fini(&path);
    if (watch->fd < 0) {
        return watch->fd;
    }
    setsockopt(watch->fd, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof(for_ever));
    return 0;
}

void watch_close(struct watch *watch)
{
    if (watch->fd >= 0) {
        close(watch->fd);
    }
    buf_fini(&watch->raw);
    buf_fini(&watch->lines);
}

/* ---- the answer ---- */

static int say_refusal(const struct watch *watch, struct buf *why)
{
    if (!fetch_error(buf_span(&watch->lines), why)) {
        buf_printf(why, "the filters were refused");
    }
    return ERR_REFUSED;
}

static int read_head(struct watch *watch, struct buf *why)
{
    struct h1_error error;
    struct http_head head;
    struct arena arena;
    size_t used;

    arena_init(&arena, NULL, 0);
    int err = h1_parse_response(&watch->scan, buf_span(&watch->raw), &h1_default_limits, METHOD_GET,
                                &arena, &head, &used, &error);
    if (err == ERR_MORE && buf_len(&watch->raw) < HEAD_MAX) {
        err = 0;
    } else if (err || (head.status != 200 && head.status != 400 && head.status != 503)) {
        buf_printf(why,
                   "what answers on %s reports no requests; is it the admin address of "
                   "larder-proxy?",
                   watch->admin);
        err = ERR_SYNTAX;
    } else {
        watch->begun = true;
        watch->status = head.status;
        h1_body_init(&watch->body, &head);
        buf_consume(&watch->raw, used);
    }
    arena_fini(&arena);
    return err;
}

/* Removes the lines that were returned before, and reads more. */
static int read_body(struct watch *watch, struct buf *why)
{
    enum h1_body_result result = H1_BODY_DATA;

    buf_consume(&watch->lines, watch->shown);
    watch->shown = 0;
    while (result == H1_BODY_DATA || result == H1_BODY_TRAILERS) {
        struct span data = SPAN_EMPTY;
        size_t used;
        result = h1_body_next(&watch->body, buf_span(&watch->raw), &used, &data);
        if (result == H1_BODY_DATA) {
            buf_append(&watch->lines, data);
        }
        buf_consume(&watch->raw, used);
    }
    if (buf_len(&watch->lines) > LINE_MAX_BYTES &&
        !memchr(watch->lines.data + watch->lines.start, '\n', buf_len(&watch->lines))) {
        result = H1_BODY_BAD;
    }
    if (watch->status != 200 && result == H1_BODY_END) {
        return say_refusal(watch, why);
    }
    return result == H1_BODY_MORE ? 0 : ERR_CLOSED;
}

int watch_more(struct watch *watch, struct buf *why)
{
    ssize_t n = recv(watch->fd, buf_reserve(&watch->raw, 65536), 65536, 0);
    int err = 0;

    if (n < 0 && errno == EINTR) {
        return 0;
    }
    if (n <= 0) {
        buf_printf(why, "larder-proxy has ended, or closed the connection");
        return ERR_CLOSED;
    }
    buf_commit(&watch->raw, (size_t)n);
    if (!watch->begun) {
        err = read_head(watch, why);
    }
    if (!err && watch->begun) {
        err = read_body(watch, why);
        if (err == ERR_CLOSED) {
            buf_printf(why, "larder-proxy has ended");
        }
    }
    return err;
}

bool watch_line(struct watch *watch, struct span *line)
{
    struct span rest = span_skip(buf_span(&watch->lines), watch->shown);
    size_t end = span_find(rest, '\n');

    if (end == rest.len) {
        return false;
    }
    *line = span_take(rest, end);
    watch->shown += end + 1;
    return true;
}
