#include "tests/unit/proxy/h1_server_kit.h"

#include <criterion/criterion.h>

struct loop *loop;
struct peer peer;
struct h1 *h1;
struct h1_settings settings;
struct owner requests[REQUESTS_MAX];
size_t request_count;
int gone;
int bad_status;

struct script script;

static void on_stream(void *owner, struct stream *stream)
{
    cr_assert_lt(request_count, (size_t)REQUESTS_MAX);
    struct owner *request = &requests[request_count++];

    owner_init(request, stream);
    request->act = script.act;
    request->acts_in = script.acts_in;
    request->flow = script.flow;
    if (script.close_connection) {
        h1_close(&h1);
    }
}

static void on_bad_head(void *owner, const struct h1_error *error, struct http_head *head,
                        struct buf *body)
{
    bad_status = error->status;
    buf_append(body, SPAN("<p>no</p>"));
}

static void on_gone(void *owner)
{
    gone++;
    h1 = NULL;
}

void serve(bool narrow)
{
    static const struct h1_events events = {
        .on_stream = on_stream,
        .on_bad_head = on_bad_head,
        .on_gone = on_gone,
    };
    struct transport *transport;

    peer_pair(&peer, loop, &transport, narrow);
    h1 = h1_serve(transport, &settings, &events, NULL);
}

void h1_kit_init(void)
{
    cr_assert_eq(loop_new(&loop), 0);
    settings = (struct h1_settings){.limits = h1_default_limits};
}

void h1_kit_fini(void)
{
    h1_close(&h1);
    for (size_t i = 0; i < request_count; i++) {
        owner_fini(&requests[i]);
    }
    peer_fini(&peer);
    loop_free(&loop);
}

void answer_hello(struct owner *owner)
{
    static struct source_memory body[REQUESTS_MAX];
    struct source_memory *source = &body[owner - requests];
    struct test_head made;

    source_memory_init(source, SPAN("hello"));
    test_response(&made, 200, BODY_LENGTH, 5);
    stream_send(owner->stream, &made.head, &source->source);
    test_head_fini(&made);
}

void answer_feed(struct owner *owner)
{
    struct test_head made;

    test_response(&made, script.status ? script.status : 200, script.framing, script.length);
    stream_send(owner->stream, &made.head, &script.feed.source);
    test_head_fini(&made);
}

void serve_hello(bool narrow)
{
    script.act = answer_hello;
    script.acts_in = 'h';
    serve(narrow);
}

void serve_feed(bool narrow, uint64_t total, size_t piece, enum http_framing framing)
{
    script.act = answer_feed;
    script.acts_in = 'h';
    script.framing = framing;
    script.length = (int64_t)total;
    feed_init(&script.feed, loop, total, piece);
    serve(narrow);
}

struct span got_body(void)
{
    struct span all = buf_span(&peer.got);
    const char *end = memmem(all.at, all.len, "\r\n\r\n", 4);

    return end ? span_skip(all, (size_t)(end - all.at) + 4) : SPAN_EMPTY;
}

void read_and_stop(uint64_t read_ms, uint64_t still_ms)
{
    uint64_t before = loop_now_ms(loop);

    LOOP_UNTIL(loop, (peer_read(&peer, 65536), loop_now_ms(loop) > before + read_ms));
    before = loop_now_ms(loop);
    LOOP_UNTIL(loop, loop_now_ms(loop) > before + still_ms);
}
