#include "tests/lib/owner.h"

#include "base/check.h"
#include "base/err.h"

#include <stdio.h>

/* ---- events ---- */

static void note(struct owner *owner, const char *what)
{
    size_t len = strlen(owner->log);

    CHECK(len + strlen(what) + 2 < sizeof(owner->log));
    snprintf(owner->log + len, sizeof(owner->log) - len, "%s%s", len ? " " : "", what);
}

static void enter(struct owner *owner, char event)
{
    CHECK(!owner->is_closed);
    CHECK(owner->depth == 0); /* no event inside another one */
    owner->depth++;
    if (owner->act && owner->acts_in == event) {
        owner->act(owner);
    }
}

static void on_head(void *arg, const struct http_head *head)
{
    struct owner *owner = arg;
    char text[32];

    if (head->status) {
        snprintf(text, sizeof(text), "h%d", head->status);
    } else {
        snprintf(text, sizeof(text), "h%.*s", (int)head->method_text.len, head->method_text.at);
    }
    note(owner, text);
    owner->head = *head;
    enter(owner, 'h');
    owner->depth--;
}

static enum stream_flow on_data(void *arg, struct span bytes)
{
    struct owner *owner = arg;
    size_t len = strlen(owner->log);

    CHECK(bytes.len > 0);
    if (len == 0 || owner->log[len - 1] != 'd') {
        note(owner, "d");
    }
    owner->got += bytes.len;
    if (owner->keeps_data) {
        buf_append(&owner->data, bytes);
    }
    enter(owner, 'd');
    owner->depth--;
    return owner->flow;
}

static enum stream_flow on_sink(void *arg, struct stream **sink)
{
    struct owner *owner = arg;

    CHECK(!owner->is_closed && owner->depth == 0);
    owner->asked_for_sink++;
    *sink = owner->sink_flow == STREAM_MORE ? owner->sink : NULL;
    return owner->sink_flow;
}

static void on_end(void *arg)
{
    struct owner *owner = arg;

    note(owner, "e");
    enter(owner, 'e');
    owner->depth--;
}

static void on_sent(void *arg)
{
    struct owner *owner = arg;

    note(owner, "s");
    enter(owner, 's');
    owner->depth--;
}

static void on_close(void *arg, int err)
{
    struct owner *owner = arg;
    char text[16];

    snprintf(text, sizeof(text), "c%d", err);
    note(owner, text);
    owner->sent = owner->stream->sent;
    owner->received = owner->stream->received;
    enter(owner, 'c');
    owner->depth--;
    owner->is_closed = true;
    owner->err = err;
    owner->stream = NULL;
}

void owner_init(struct owner *owner, struct stream *stream)
{
    static const struct stream_events events = {.on_head = on_head,
                                                .on_data = on_data,
                                                .sink = on_sink,
                                                .on_end = on_end,
                                                .on_sent = on_sent,
                                                .on_close = on_close};

    *owner = (struct owner){.stream = stream, .keeps_data = true};
    stream_bind(stream, &events, owner);
}

void owner_fini(struct owner *owner)
{
    buf_fini(&owner->data);
}

bool owner_log_is(const struct owner *owner, const char *log)
{
    return strcmp(owner->log, log) == 0;
}

void owner_gives_up(struct owner *owner)
{
    struct stream *stream = owner->stream;

    owner->stream = NULL;
    stream_close(stream, ERR_CLOSED);
}

/* ---- heads ---- */

static void make(struct test_head *made, enum http_framing framing, int64_t length)
{
    arena_init(&made->arena, NULL, 0);
    head_init(&made->head, &made->arena);
    made->head.framing = framing;
    made->head.content_length = length;
    fields_add(&made->head.fields, SPAN("X-Test"), SPAN("yes"));
}

void test_response(struct test_head *made, int status, enum http_framing framing, int64_t length)
{
    make(made, framing, length);
    made->head.status = status;
}

void test_request(struct test_head *made, enum http_method method, const char *target,
                  enum http_framing framing, int64_t length)
{
    make(made, framing, length);
    made->head.method = method;
    made->head.method_text = http_method_text(method);
    made->head.target = span_str(target);
    fields_add_id(&made->head.fields, FIELD_HOST, SPAN("origin.test"));
}

void test_head_fini(struct test_head *made)
{
    arena_fini(&made->arena);
}

/* ---- a body ---- */

enum { PERIOD = 251, LONGEST = 1 << 20 };

/* A byte of the body depends on its position only. */
static const char *pattern(void)
{
    static char bytes[PERIOD + LONGEST];

    if (bytes[1] == 0) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (char)(i % PERIOD);
        }
    }
    return bytes;
}

static void wake(struct letter *letter)
{
    struct feed *feed = container_of(letter, struct feed, letter);

    feed->is_ready = true;
    if (!feed->drops) {
        feed->source.wake(feed->source.wake_arg);
    }
}

void feed_go(struct feed *feed)
{
    feed->is_held = false;
    loop_post(feed->loop, &feed->letter);
}

static int feed_peek(struct source *source, struct span *out)
{
    struct feed *feed = container_of(source, struct feed, source);
    uint64_t left = feed->total - feed->pos;

    CHECK(!feed->drops);
    if (feed->starves && !feed->is_ready) {
        if (!feed->is_held) {
            loop_post(feed->loop, &feed->letter);
        }
        return ERR_AGAIN;
    }
    if (left == 0 && feed->err) {
        return feed->err;
    }
    *out = span_of(pattern() + feed->pos % PERIOD, left < feed->piece ? (size_t)left : feed->piece);
    return 0;
}

static void feed_advance(struct source *source, size_t n)
{
    struct feed *feed = container_of(source, struct feed, source);

    CHECK(!feed->drops && n > 0 && n <= feed->total - feed->pos);
    feed->pos += n;
    feed->is_ready = false;
}

static void feed_drop(struct source *source)
{
    container_of(source, struct feed, source)->drops++;
}

void feed_init(struct feed *feed, struct loop *loop, uint64_t total, size_t piece)
{
    static const struct source_ops ops = {
        .peek = feed_peek,
        .advance = feed_advance,
        .drop = feed_drop,
    };

    CHECK(piece > 0 && piece <= LONGEST);
    *feed = (struct feed){
        .source.ops = &ops, .loop = loop, .letter.call = wake, .total = total, .piece = piece};
}

bool feed_is(struct span bytes, uint64_t at)
{
    while (bytes.len) {
        struct span part = span_take(bytes, LONGEST);
        if (!span_eq(part, span_of(pattern() + at % PERIOD, part.len))) {
            return false;
        }
        at += part.len;
        bytes = span_skip(bytes, part.len);
    }
    return true;
}
