#include "tests/lib/origin_wire.h"

#include "base/mem.h"
#include "tests/lib/chunk_size.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD_MAX = 1 << 20, READ_SIZE = 16384, CHUNK_LINE_MAX = 4096 };

/* --- heads ----------------------------------------------------------------------------------- */

/* The line at the front of *rest, without its end. */
static struct span next_line(struct span *rest)
{
    struct span line = span_cut(rest, '\n');

    if (line.len > 0 && line.at[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

struct span origin_head_word(struct span head, unsigned index)
{
    struct span line = next_line(&head);
    struct span word = SPAN_EMPTY;

    for (unsigned i = 0; i <= index; i++) {
        word = span_cut(&line, ' ');
    }
    return word;
}

struct span origin_head_field(struct span head, const char *name)
{
    next_line(&head);
    while (head.len > 0) {
        struct span value = next_line(&head);
        struct span field = span_cut(&value, ':');
        if (span_ieq(field, span_str(name))) {
            return span_trim(value);
        }
    }
    return SPAN_EMPTY;
}

struct span origin_request_field(const struct origin_request *request, const char *name)
{
    return origin_head_field(span_of(request->head, request->head_len), name);
}

struct span origin_request_target(const struct origin_request *request)
{
    return origin_head_word(span_of(request->head, request->head_len), 1);
}

void origin_request_fini(struct origin_request *request)
{
    free(request->head);
    free(request->body);
    *request = (struct origin_request){0};
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_more(struct origin_wire *wire)
{
    char *to = buf_reserve(&wire->in, READ_SIZE);
    ssize_t n = recv(wire->fd, to, READ_SIZE, 0);

    if (n <= 0) {
        return false;
    }
    buf_commit(&wire->in, (size_t)n);
    return true;
}

/* The length of what ends with `end` in the buffer; reads until it is there. 0: never. */
static size_t read_to(struct origin_wire *wire, struct span end, size_t most)
{
    for (;;) {
        struct span have = buf_span(&wire->in);
        const char *hit = have.len ? memmem(have.at, have.len, end.at, end.len) : NULL;
        if (hit) {
            return (size_t)(hit - have.at) + end.len;
        }
        if (have.len > most || !read_more(wire)) {
            return 0;
        }
    }
}

bool origin_wire_head(struct origin_wire *wire, struct origin_request *request)
{
    size_t len = read_to(wire, SPAN("\r\n\r\n"), HEAD_MAX);

    if (len == 0) {
        return false;
    }
    request->head = xstrndup(buf_span(&wire->in).at, len);
    request->head_len = len;
    buf_consume(&wire->in, len);
    return true;
}

static void keep_body(struct origin_request *request, struct span bytes)
{
    size_t room = ORIGIN_BODY_KEPT - request->body_kept;
    struct span kept = span_take(bytes, room);

    if (kept.len > 0) {
        request->body = xrealloc(request->body, request->body_kept + kept.len);
        memcpy(request->body + request->body_kept, kept.at, kept.len);
        request->body_kept += kept.len;
    }
    request->body_len += bytes.len;
}

static bool read_bytes(struct origin_wire *wire, struct origin_request *request, uint64_t len)
{
    while (len > 0) {
        if (buf_len(&wire->in) == 0 && !read_more(wire)) {
            return false;
        }
        struct span have = span_take(buf_span(&wire->in), len);
        keep_body(request, have);
        len -= have.len;
        buf_consume(&wire->in, have.len);
    }
    return true;
}

static bool read_line(struct origin_wire *wire, struct buf *line)
{
    size_t len = read_to(wire, SPAN("\r\n"), CHUNK_LINE_MAX);

    if (len == 0) {
        return false;
    }
    buf_clear(line);
    buf_append(line, span_take(buf_span(&wire->in), len - 2));
    buf_consume(&wire->in, len);
    return true;
}

static bool read_chunks(struct origin_wire *wire, struct origin_request *request)
{
    struct buf line = BUF_INIT;
    uint64_t size = 1;
    bool fine = true;

    while (fine && size > 0) {
        fine = read_line(wire, &line);
        struct span text = buf_span(&line);
        fine = fine && chunk_size_read(span_trim(span_cut(&text, ';')), &size);
        fine = fine && read_bytes(wire, request, size);
        if (fine && size > 0) {
            fine = read_line(wire, &line) && buf_len(&line) == 0;
        }
    }
    while (fine && (fine = read_line(wire, &line)) && buf_len(&line) > 0) {
    }
    buf_fini(&line);
    return fine;
}

bool origin_wire_body(struct origin_wire *wire, struct origin_request *request)
{
    struct span length = origin_request_field(request, "Content-Length");
    uint64_t len = 0;

    if (origin_request_field(request, "Transfer-Encoding").len > 0) {
        return read_chunks(wire, request);
    }
    if (length.len > 0 && !span_to_u64(length, UINT64_MAX, &len)) {
        return false;
    }
    return read_bytes(wire, request, len);
}

/* --- writing --------------------------------------------------------------------------------- */

bool origin_wire_send(struct origin_wire *wire, struct span first, struct span second)
{
    while (first.len + second.len > 0) {
        struct iovec parts[2] = {
            {.iov_base = (char *)(uintptr_t)first.at, .iov_len = first.len},
            {.iov_base = (char *)(uintptr_t)second.at, .iov_len = second.len},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(wire->fd, &message, MSG_NOSIGNAL);
        if (n < 0) {
            return false;
        }
        size_t of_first = (size_t)n < first.len ? (size_t)n : first.len;
        first = span_skip(first, of_first);
        second = span_skip(second, (size_t)n - of_first);
    }
    return true;
}
