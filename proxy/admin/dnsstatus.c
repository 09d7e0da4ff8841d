#include "proxy/admin/dnsstatus.h"

#include "base/err.h"
#include "base/mem.h"
#include "http/names.h"
#include "proxy/stream/h1.h"

enum {
    AGAIN_MS = 2000,
    LIMIT_MS = 3000,
    ANSWER_MAX = 4 << 20,
};

/* A request. While it connects it has a transport, then a stream. */
struct question {
    struct dnsstatus *owner; /* NULL: cancelled while connecting */
    uv_connect_t request;
    struct transport *transport;
    struct stream *stream;
    struct arena arena;
    struct buf body;
    int status;
    bool complete;
};

struct dnsstatus {
    struct loop *loop;
    struct question *question; /* NULL: none in progress */
    struct timeout limit;
    struct endpoint at;
    struct buf text; /* the last answer */
    int64_t when;
    uint64_t asked_ms;
    const char *error;
    char asked_of[128];
};

static const struct h1_settings h1_settings = {
    .limits = {.target = 256, .head = 16ul * 1024, .fields = 64},
    .times = {.body_ms = LIMIT_MS, .first_byte_ms = LIMIT_MS, .idle_ms = LIMIT_MS},
};

/* ---- the end of a question ---- */

static void question_free(struct question *question)
{
    buf_fini(&question->body);
    arena_fini(&question->arena);
    free(question);
}

static void question_end(struct question *question, const char *error)
{
    struct dnsstatus *status = question->owner;

    status->question = NULL;
    status->error = error;
    timeout_clear(&status->limit);
    if (!error) {
        buf_clear(&status->text);
        buf_append(&status->text, buf_span(&question->body));
        status->when = loop_wall(status->loop);
    }
    question_free(question);
}

/* Cancels from outside; may be called at any time. */
static void question_give_up(struct question *question, const char *error)
{
    if (question->stream) {
        stream_close(question->stream, ERR_CLOSED);
        question_end(question, error);
        return;
    }
    question->owner->question = NULL;
    question->owner->error = error;
    question->owner = NULL; /* freed when connecting has ended */
    transport_close(&question->transport, false);
}

static void on_limit(struct timeout *timeout)
{
    struct dnsstatus *status = container_of(timeout, struct dnsstatus, limit);

    if (status->question) {
        question_give_up(status->question, "it took too long");
    }
}

/* ---- the answer ---- */

static void on_head(void *owner, const struct http_head *head)
{
    struct question *question = owner;

    question->status = head->status;
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    struct question *question = owner;

    if (buf_len(&question->body) + bytes.len <= ANSWER_MAX) {
        buf_append(&question->body, bytes);
    } else {
        question->status = 0;
    }
    return STREAM_MORE;
}

static void on_end(void *owner)
{
    struct question *question = owner;

    question->complete = true;
}

static void on_close(void *owner, int err)
{
    struct question *question = owner;

    question->stream = NULL;
    question_end(question, !question->complete       ? "its answer broke off"
                           : question->status != 200 ? "its answer was not a status"
                                                     : NULL);
}

static const struct stream_events events = {
    .on_head = on_head, .on_data = on_data, .on_end = on_end, .on_close = on_close};

/* ---- the question ---- */

static void send_request(struct question *question)
{
    struct http_head head;

    head_init(&head, &question->arena);
    head.version = HTTP_1_1;
    head.method = METHOD_GET;
    head.method_text = http_method_text(METHOD_GET);
    head.target = SPAN("/status");
    head.framing = BODY_NONE;
    head.content_length = -1;
    fields_add_id(&head.fields, FIELD_HOST, span_str(question->owner->asked_of));
    question->stream = h1_request_alone(question->transport, &h1_settings);
    question->transport = NULL;
    stream_bind(question->stream, &events, question);
    stream_send(question->stream, &head, NULL);
}

static void on_connect(uv_connect_t *request, int err)
{
    struct question *question = container_of(request, struct question, request);

    if (question->owner == NULL) {
        question_free(question);
    } else if (err) {
        transport_close(&question->transport, false);
        question_end(question, err_text(err));
    } else {
        send_request(question);
    }
}

static void begin(struct dnsstatus *status)
{
    struct question *question = xcalloc(1, sizeof(*question));

    question->owner = status;
    arena_init(&question->arena, NULL, 0);
    question->transport = transport_new_tcp(status->loop);
    status->question = question;
    timeout_set(status->loop, &status->limit, LIMIT_MS);
    int err =
        uv_tcp_connect(&question->request, (uv_tcp_t *)transport_uv(question->transport),
                       (const struct sockaddr *)(const void *)&status->at.address, on_connect);
    if (err) {
        transport_close(&question->transport, false);
        question_end(question, err_text(err));
    }
}

/* ---- its face ---- */

struct dnsstatus *dnsstatus_new(struct loop *loop)
{
    struct dnsstatus *status = xcalloc(1, sizeof(*status));

    status->loop = loop;
    timeout_init(&status->limit, on_limit);
    return status;
}

void dnsstatus_free(struct dnsstatus **slot)
{
    struct dnsstatus *status = *slot;

    *slot = NULL;
    if (status == NULL) {
        return;
    }
    if (status->question) {
        question_give_up(status->question, NULL);
    }
    timeout_clear(&status->limit);
    buf_fini(&status->text);
    free(status);
}

/* A reload may have changed the address. */
static void choose(struct dnsstatus *status, const struct endpoint *at)
{
    if (span_eq(span_str(at->text), span_str(status->asked_of))) {
        return;
    }
    if (status->question) {
        question_give_up(status->question, NULL);
    }
    struct span text = span_take(span_str(at->text), sizeof(status->asked_of) - 1);
    memset(status->asked_of, 0, sizeof(status->asked_of));
    if (text.len) {
        memcpy(status->asked_of, text.at, text.len);
    }
    status->at = *at;
    status->asked_ms = 0;
    status->error = NULL;
    buf_clear(&status->text);
}

struct dnsstatus_answer dnsstatus_ask(struct dnsstatus *status, const struct endpoint *at)
{
    uint64_t now = loop_now_ms(status->loop);

    choose(status, at);
    if (!status->question && (status->asked_ms == 0 || now - status->asked_ms >= AGAIN_MS)) {
        status->asked_ms = now;
        begin(status);
    }
    return (struct dnsstatus_answer){buf_span(&status->text), status->when, status->error};
}
