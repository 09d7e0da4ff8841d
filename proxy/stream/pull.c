#include "proxy/stream/pull.h"

#include "base/check.h"
#include "base/err.h"
#include "http/h1_write.h"

void pull_init(struct pull *pull, struct source *source, enum http_framing framing, int64_t length)
{
    CHECK(framing != BODY_STREAM);
    CHECK(framing != BODY_LENGTH || length >= 0);
    *pull = (struct pull){.source = source, .framing = framing};
    if (framing == BODY_LENGTH) {
        pull->left = (uint64_t)length;
    }
}

void pull_drop(struct pull *pull)
{
    struct source *source = pull->source;

    pull->source = NULL;
    pull->lent = 0;
    source_drop(source);
}

void pull_written(struct pull *pull)
{
    size_t lent = pull->lent;

    pull->lent = 0;
    if (lent) {
        source_advance(pull->source, lent);
    }
}

/* Was everything moved that was announced? */
static bool is_complete(const struct pull *pull)
{
    return pull->framing == BODY_LENGTH && pull->left == 0;
}

/* The next bytes of the body, at most as many as were announced; empty at the end. */
static int next_span(struct pull *pull, struct span *span)
{
    *span = SPAN_EMPTY;
    if (!pull->source || is_complete(pull) || pull->framing == BODY_NONE) {
        return 0;
    }
    int err = source_peek(pull->source, span);
    if (!err && pull->framing == BODY_LENGTH && span->len > pull->left) {
        span->len = (size_t)pull->left;
    }
    return err;
}

static void end_chunk(struct pull *pull, struct buf *out)
{
    if (pull->owes_crlf) {
        buf_append(out, SPAN("\r\n"));
    }
    pull->owes_crlf = false;
}

static void begin_chunk(struct pull *pull, struct buf *out, size_t len)
{
    end_chunk(pull, out);
    buf_commit(out, h1_chunk_line(buf_reserve(out, H1_CHUNK_LINE_MAX), len));
    pull->owes_crlf = true;
}

/* Writes what framing puts before `len` bytes of the body. */
static void begin_span(struct pull *pull, struct buf *out, size_t len)
{
    if (pull->framing == BODY_CHUNKED) {
        begin_chunk(pull, out, len);
    } else if (pull->framing == BODY_LENGTH) {
        pull->left -= len;
    }
}

static void copy_span(struct pull *pull, struct buf *out, struct span span)
{
    size_t before = buf_len(out);

    begin_span(pull, out, span.len);
    buf_append(out, span);
    end_chunk(pull, out);
    pull->moved += buf_len(out) - before;
    source_advance(pull->source, span.len);
}

/* Writes what is corked, and behind it `span` without a copy. Returns 0 or the transport's error.
 */
static int lend_span(struct pull *pull, struct transport *transport, struct buf *out,
                     struct span span)
{
    size_t before = buf_len(out);
    begin_span(pull, out, span.len);
    size_t corked = buf_len(out);
    pull->moved += corked - before + span.len;
    struct span parts[2] = {buf_span(out), span};
    ssize_t n = transport_write(transport, parts, 2, true);
    buf_clear(out);
    if (n < 0) {
        return (int)n;
    }
    size_t taken = (size_t)n - corked;
    pull->lent = span.len - taken;
    if (taken) {
        source_advance(pull->source, taken);
    }
    return 0;
}

static bool is_in_file(const struct pull *pull, const struct transport *transport, struct span span,
                       struct file_place *place)
{
    return span.len > PULL_FILE_MIN && pull->framing != BODY_CHUNKED &&
           transport_sends_files(transport) && source_place(pull->source, place);
}

/* Writes what is corked, and has the kernel send the span from its file. If the socket is full,
 * only the next step is lent: the rest is sent from the file again. */
static int send_placed(struct pull *pull, struct transport *transport, struct buf *out,
                       struct span span, struct file_place place)
{
    ssize_t n = transport_send_file(transport, buf_span(out), place, span.len);

    buf_clear(out);
    if (n < 0) {
        return (int)n;
    }
    if (n > 0) {
        begin_span(pull, out, (size_t)n);
        pull->moved += (uint64_t)n;
        pull->from_file += (uint64_t)n;
        source_advance(pull->source, (size_t)n);
    }
    struct span rest = span_take(span_skip(span, (size_t)n), PULL_FILE_STEP);
    if (rest.len == 0 || transport_queued(transport) > 0) {
        return 0;
    }
    return lend_span(pull, transport, out, rest);
}

static int finish(struct pull *pull, struct buf *out)
{
    if (pull->framing == BODY_LENGTH && pull->left > 0) {
        return ERR_TRUNCATED;
    }
    if (pull->framing == BODY_CHUNKED) {
        size_t before = buf_len(out);
        end_chunk(pull, out);
        h1_write_last_chunk(out, pull->trailers ? pull->trailers(pull->trailers_arg) : NULL);
        pull->moved += buf_len(out) - before;
    }
    pull_drop(pull);
    return PULL_END;
}

int pull_run(struct pull *pull, struct transport *transport, struct buf *out,
             bool *broken_transport)
{
    *broken_transport = false;
    for (size_t moved = 0; moved < PULL_BUDGET || is_complete(pull);) {
        if (transport_queued(transport) > 0) {
            return PULL_BLOCKED;
        }
        struct span span;
        int err = next_span(pull, &span);
        if (err) {
            return err == ERR_AGAIN ? PULL_WAIT : err;
        }
        if (span.len == 0) {
            return finish(pull, out);
        }
        moved += span.len;
        if (span.len <= PULL_COPY_MAX && buf_len(out) + span.len <= PULL_CORK_MAX) {
            copy_span(pull, out, span);
            continue;
        }
        struct file_place place;
        err = is_in_file(pull, transport, span, &place)
                  ? send_placed(pull, transport, out, span, place)
                  : lend_span(pull, transport, out, span);
        if (err) {
            *broken_transport = err != ERR_TRUNCATED;
            return err;
        }
    }
    return PULL_SPENT;
}
