/* Frames of a client, behind the preface and SETTINGS, into a connection that answers every request
 * with its body, or with one of a few bytes. The first byte says how the input is cut into writes.
 * Nothing is to be read past its end, used after it, or left behind. */
#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "proxy/stream/h2.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 3 };

static struct loop *loop;
static struct h2 *h2;
static struct list answers;

/* ---- an owner of streams ---- */

struct answer {
    struct list link;
    struct stream *stream;
    struct source_memory body;
    bool is_tunnel;
    bool is_answered;
    bool is_upgrade;
};

static void answer_free(struct answer *answer)
{
    list_remove(&answer->link);
    free(answer);
}

static void say(struct answer *answer)
{
    struct http_head head;
    struct arena arena;

    if (answer->is_answered) {
        return;
    }
    answer->is_answered = true;
    arena_init(&arena, NULL, 0);
    head_init(&head, &arena);
    head.status = answer->is_upgrade ? 101 : 200;
    head.framing = answer->is_tunnel ? BODY_NONE : BODY_LENGTH;
    head.content_length = 5;
    source_memory_init(&answer->body, SPAN("bytes"));
    stream_send(answer->stream, &head, &answer->body.source);
    arena_fini(&arena);
}

static void on_head(void *owner, const struct http_head *head)
{
    struct answer *answer = owner;

    answer->is_upgrade = head->upgrade;
    answer->is_tunnel = head->method == METHOD_CONNECT || head->upgrade;
    if (answer->is_tunnel || head->method == METHOD_PUT) {
        say(answer);
    } else if (head->method == METHOD_DELETE) { /* an owner that gives up in its first event */
        stream_close(answer->stream, ERR_CLOSED);
        answer_free(answer);
    }
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    struct answer *answer = owner;

    CHECK(bytes.len > 0);
    if (bytes.at[0] == 'p') {
        stream_resume(answer->stream); /* nothing is paused */
    }
    return bytes.at[0] == 'P' ? STREAM_PAUSE : STREAM_MORE;
}

static void on_end(void *owner)
{
    say(owner);
}

static void on_close(void *owner, int err)
{
    answer_free(owner);
}

static void on_stream(void *owner, struct stream *stream)
{
    static const struct stream_events events = {
        .on_head = on_head,
        .on_data = on_data,
        .on_end = on_end,
        .on_close = on_close,
    };
    struct answer *answer = xcalloc(1, sizeof(*answer));

    answer->stream = stream;
    list_push_back(&answers, &answer->link);
    stream_bind(stream, &events, answer);
}

static void on_bad_head(void *owner, const struct h1_error *error, struct http_head *head,
                        struct buf *body)
{
    CHECK(error->status >= 400 && error->what);
    buf_append(body, SPAN("no"));
}

static void on_gone(void *owner)
{
    h2 = NULL;
}

/* ---- a connection ---- */

static int open_connection(void)
{
    static const struct h2_events events = {
        .on_stream = on_stream,
        .on_bad_head = on_bad_head,
        .on_gone = on_gone,
    };
    static struct h2_settings settings;
    int fds[2];

    settings = (struct h2_settings){
        .limits = {.target = 256, .head = 4096, .fields = 16},
        .streams = 8,
    };
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    struct transport *transport = transport_new_tcp(loop);
    CHECK(uv_tcp_open((uv_tcp_t *)transport_uv(transport), fds[0]) == 0);
    h2 = h2_serve(transport, SPAN(H2_PREFACE "\0\0\0\4\0\0\0\0\0"), &settings, &events, NULL);
    return fds[1];
}

static void turn(int fd)
{
    char waste[4096];

    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    while (read(fd, waste, sizeof(waste)) > 0) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data + 1, size ? size - 1 : 0);
    size_t step = size ? 1 + (size_t)data[0] * 16 : 1;

    if (loop == NULL) {
        CHECK(loop_new(&loop) == 0);
    }
    list_init(&answers);
    int fd = open_connection();
    while (rest.len && h2) {
        struct span part = span_take(rest, step);
        if (write(fd, part.at, part.len) != (ssize_t)part.len) {
            break;
        }
        rest = span_skip(rest, part.len);
        turn(fd);
    }
    for (int i = 0; i < TURNS; i++) {
        turn(fd);
    }
    h2_close(&h2); /* streams get no event */
    while (!list_empty(&answers)) {
        answer_free(list_entry(answers.next, struct answer, link));
    }
    turn(fd);
    close(fd);
    return 0;
}
