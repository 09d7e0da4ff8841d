#include "base/err.h"
#include "base/mem.h"
#include "http/h1_body.h"
#include "proxy/stream/h1.h"
#include "proxy/stream/pace.h"
#include "tests/lib/owner.h"
#include "tests/lib/peer.h"
#include "tests/unit/proxy/writes.h"

#include <criterion/criterion.h>

/* ---- the connection under test, and what its owner does with requests ---- */

enum { REQUESTS_MAX = 32 };

static struct loop *loop;
static struct peer peer;
static struct h1 *h1;
static struct h1_settings settings;
static struct owner requests[REQUESTS_MAX];
static size_t request_count;
static int gone;
static int bad_status;

static struct {
    void (*act)(struct owner *owner); /* in the event `acts_in` of every request */
    char acts_in;
    enum stream_flow flow;
    bool close_connection; /* h1_close() in on_stream */
    struct feed feed;
    int status;
    enum http_framing framing;
    int64_t length;
} script;

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

static void serve(bool narrow)
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

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
    settings = (struct h1_settings){.limits = h1_default_limits};
}

static void teardown(void)
{
    h1_close(&h1);
    for (size_t i = 0; i < request_count; i++) {
        owner_fini(&requests[i]);
    }
    peer_fini(&peer);
    loop_free(&loop);
}

TestSuite(h1_server, .init = setup, .fini = teardown);

static const char hello[] = "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 5\r\n\r\nhello";

/* Answers with five bytes from memory. */
static void answer_hello(struct owner *owner)
{
    static struct source_memory body[REQUESTS_MAX];
    struct source_memory *source = &body[owner - requests];
    struct test_head made;

    source_memory_init(source, SPAN("hello"));
    test_response(&made, 200, BODY_LENGTH, 5);
    stream_send(owner->stream, &made.head, &source->source);
    test_head_fini(&made);
}

/* Answers with script.feed. */
static void answer_feed(struct owner *owner)
{
    struct test_head made;

    test_response(&made, script.status ? script.status : 200, script.framing, script.length);
    stream_send(owner->stream, &made.head, &script.feed.source);
    test_head_fini(&made);
}

static void answer_empty(struct owner *owner)
{
    struct test_head made;

    test_response(&made, script.status, BODY_NONE, -1);
    stream_send(owner->stream, &made.head, NULL);
    test_head_fini(&made);
}

static void serve_hello(bool narrow)
{
    script.act = answer_hello;
    script.acts_in = 'h';
    serve(narrow);
}

static void serve_feed(bool narrow, uint64_t total, size_t piece, enum http_framing framing)
{
    script.act = answer_feed;
    script.acts_in = 'h';
    script.framing = framing;
    script.length = (int64_t)total;
    feed_init(&script.feed, loop, total, piece);
    serve(narrow);
}

static struct span got_body(void)
{
    struct span all = buf_span(&peer.got);
    const char *end = memmem(all.at, all.len, "\r\n\r\n", 4);

    return end ? span_skip(all, (size_t)(end - all.at) + 4) : SPAN_EMPTY;
}

/* ---- messages ---- */

Test(h1_server, a_request_and_its_answer)
{
    serve_hello(false);
    peer_say(&peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears(&peer, hello));
    cr_expect(owner_log_is(&requests[0], "hGET e s c0"), "%s", requests[0].log);
    cr_expect_eq(requests[0].received, strlen("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"));
    cr_expect_eq(requests[0].sent, strlen(hello));
    cr_expect_eq(gone, 0);
    peer_shutdown(&peer);
    cr_expect(peer_hears_eof(&peer));
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_server, rfc9112_9_3_2_pipelined_requests_are_answered_in_one_write)
{
    struct buf all = BUF_INIT;

    serve_hello(false);
    for (int i = 0; i < 10; i++) {
        buf_append(&all, SPAN("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    writes_reset();
    peer_send(&peer, buf_span(&all));
    cr_expect(peer_hears_bytes(&peer, 10 * (sizeof(hello) - 1)));
    cr_expect_eq(peer_count(&peer, hello), 10);
    cr_expect_eq(writes_tried(), 1);
    cr_expect_eq(writes_queued(), 0);
    buf_fini(&all);
}

static const char two_requests[] =
    "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nabcde\r\n3;x=y\r\nfgh\r\n0\r\nTrailer: t\r\n\r\n"
    "GET /b HTTP/1.1\r\nHost: x\r\n\r\n";

static void expect_two(void)
{
    cr_expect(LOOP_UNTIL(loop, request_count == 2 && requests[1].is_closed));
    cr_expect(owner_log_is(&requests[0], "hPOST d e s c0"), "%s", requests[0].log);
    cr_expect(owner_log_is(&requests[1], "hGET e s c0"), "%s", requests[1].log);
    cr_expect(span_eq(buf_span(&requests[0].data), SPAN("abcdefgh")));
    cr_expect(peer_hears_bytes(&peer, 2 * (sizeof(hello) - 1)));
    cr_expect_eq(peer_count(&peer, hello), 2);
}

Test(h1_server, byte_by_byte)
{
    script.act = answer_hello;
    script.acts_in = 'e';
    serve(false);
    peer_trickle(&peer, span_str(two_requests));
    expect_two();
}

Test(h1_server, split_at_every_byte)
{
    script.act = answer_hello;
    script.acts_in = 'e';
    for (size_t i = 1; i < sizeof(two_requests) - 1; i++) {
        request_count = 0;
        serve(false);
        peer_send(&peer, span_of(two_requests, i));
        loop_turn(loop);
        peer_send(&peer, span_of(two_requests + i, sizeof(two_requests) - 1 - i));
        expect_two();
        owner_fini(&requests[0]);
        owner_fini(&requests[1]);
        h1_close(&h1);
        peer_fini(&peer);
    }
}

Test(h1_server, requests_wait_until_the_response_before_them_is_sent)
{
    script.act = NULL;
    serve(false);
    peer_say(&peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, request_count == 1));
    for (int i = 0; i < 10; i++) {
        loop_turn(loop);
    }
    cr_expect_eq(request_count, 1);
    answer_hello(&requests[0]); /* from outside any event */
    cr_expect(owner_log_is(&requests[0], "hGET e"), "calls only record");
    cr_expect(LOOP_UNTIL(loop, request_count == 2));
    answer_hello(&requests[1]);
    cr_expect(peer_hears_bytes(&peer, 2 * (sizeof(hello) - 1)));
    cr_expect_eq(peer_count(&peer, hello), 2);
}

/* ---- framing of responses (RFC 9112 6.3) ---- */

static const struct framing_case {
    const char *what, *request;
    int status;
    enum http_framing framing;
    int64_t length; /* announced; the source has 10 bytes */
    const char *response;
    bool closes;
} framings[] = {
    {"length", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, BODY_LENGTH, 10,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 10\r\n\r\n0123456789", false},
    {"unknown length, 1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, BODY_CHUNKED, -1,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\nTransfer-Encoding: chunked\r\n\r\n"
     "4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n",
     false},
    {"from HTTP/2, no length", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, BODY_STREAM, -1,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\nTransfer-Encoding: chunked\r\n\r\n"
     "4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n",
     false},
    {"unknown length, 1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, BODY_CHUNKED,
     -1, "HTTP/1.1 200 OK\r\nX-Test: yes\r\nConnection: close\r\n\r\n0123456789", true},
    {"1.0 closes", "GET / HTTP/1.0\r\n\r\n", 200, BODY_LENGTH, 10,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789",
     true},
    {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, BODY_LENGTH, 10,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\n"
     "0123456789",
     false},
    {"1.1 close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, BODY_LENGTH, 10,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789",
     true},
    {"HEAD", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200, BODY_LENGTH, 10,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 10\r\n\r\n", false},
    {"HEAD, unknown length", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200, BODY_CHUNKED, -1,
     "HTTP/1.1 200 OK\r\nX-Test: yes\r\n\r\n", false},
    {"204", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 204, BODY_CHUNKED, -1,
     "HTTP/1.1 204 No Content\r\nX-Test: yes\r\n\r\n", false},
    {"304", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 304, BODY_LENGTH, 10,
     "HTTP/1.1 304 Not Modified\r\nX-Test: yes\r\nContent-Length: 10\r\n\r\n", false},
    {"no body is an empty one", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, BODY_NONE, -1,
     "HTTP/1.1 404 Not Found\r\nX-Test: yes\r\nContent-Length: 0\r\n\r\n", false},
};

static const struct framing_case *framing_case;

/* Chunks are as long as the spans of the source: three of them. */
static int peek_four(struct source *source, struct span *out)
{
    struct source_memory *memory = container_of(source, struct source_memory, source);

    *out = span_take(memory->rest, 4);
    return 0;
}

static void answer_case(struct owner *owner)
{
    static struct source_memory body;
    static struct source_ops ops;
    struct test_head made;

    source_memory_init(&body, SPAN("0123456789"));
    ops = *body.source.ops;
    ops.peek = peek_four;
    body.source.ops = &ops;
    test_response(&made, framing_case->status, framing_case->framing, framing_case->length);
    stream_send(owner->stream, &made.head, &body.source);
    test_head_fini(&made);
}

Test(h1_server, rfc9112_6_3_framing)
{
    script.act = answer_case;
    script.acts_in = 'h';
    for (size_t i = 0; i < sizeof(framings) / sizeof(*framings); i++) {
        framing_case = &framings[i];
        request_count = 0;
        gone = 0;
        serve(false);
        peer_say(&peer, framing_case->request);
        cr_expect(peer_hears(&peer, framing_case->response), "%s: %.*s", framing_case->what,
                  SPAN_ARGS(buf_span(&peer.got)));
        cr_expect_eq(buf_len(&peer.got), strlen(framing_case->response), "%s", framing_case->what);
        if (framing_case->closes) {
            cr_expect(peer_hears_eof(&peer), "%s", framing_case->what);
            cr_expect(LOOP_UNTIL(loop, gone == 1));
        } else {
            loop_turn(loop);
            cr_expect_eq(gone, 0, "%s", framing_case->what);
        }
        owner_fini(&requests[0]);
        h1_close(&h1);
        peer_fini(&peer);
    }
}

/* ---- large bodies ---- */

enum { LARGE = 10 << 20 };

/* The reader takes a little at a time; what the source has given is never far ahead. */
static void read_slowly(uint64_t expected)
{
    uint64_t received = 0;
    uint64_t checked = 0;

    cr_assert(peer_hears_bytes(&peer, 200));
    buf_consume(&peer.got, buf_len(&peer.got) - got_body().len);
    while (checked < expected && !peer.is_eof && !peer.is_reset) {
        peer_read(&peer, 65536);
        struct span fresh = buf_span(&peer.got);
        cr_assert(feed_is(fresh, checked));
        received = checked + fresh.len;
        checked = received;
        buf_clear(&peer.got);
        cr_assert_leq(script.feed.pos, received + (1 << 20));
    }
    cr_expect_eq(received, expected);
}

Test(h1_server, a_slow_reader_bounds_what_is_pulled)
{
    serve_feed(true, LARGE, 100000, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    read_slowly(LARGE);
    cr_expect(LOOP_UNTIL(loop, requests[0].is_closed));
    cr_expect(owner_log_is(&requests[0], "hGET e s c0"), "%s", requests[0].log);
    cr_expect_eq(script.feed.drops, 1);
    cr_expect_eq(gone, 0);
}

Test(h1_server, small_pieces_that_come_late_are_sent_as_they_come)
{
    serve_feed(false, 5000, 500, BODY_CHUNKED);
    script.feed.starves = true;
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears(&peer, "\r\n0\r\n\r\n"));
    cr_expect_eq(peer_count(&peer, "1f4\r\n"), 10);
    cr_expect_eq(requests[0].sent, buf_len(&peer.got));
    cr_expect_eq(script.feed.drops, 1);
}

Test(h1_server, a_large_chunked_body_is_lent_piece_by_piece)
{
    static char out[LARGE + 65536];
    struct h1_body body;
    struct http_head head = {.framing = BODY_CHUNKED};
    struct span data;
    size_t len = 0, used;

    serve_feed(true, 3 << 20, 70000, BODY_CHUNKED);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears(&peer, "\r\n0\r\n\r\n"));
    h1_body_init(&body, &head);
    struct span rest = got_body();
    while (h1_body_next(&body, rest, &used, &data) == H1_BODY_DATA) {
        memcpy(out + len, data.at, data.len);
        len += data.len;
        rest = span_skip(rest, used);
    }
    cr_expect_eq(len, 3 << 20);
    cr_expect_eq(requests[0].sent, buf_len(&peer.got));
    cr_expect(feed_is(span_of(out, len), 0));
}

/* ---- request bodies ---- */

Test(h1_server, pausing_stops_the_client)
{
    char *body = xcalloc(1, LARGE);
    size_t sent = 0;

    script.flow = STREAM_PAUSE;
    serve(true);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n");
    for (int i = 0; i < 400; i++) {
        ssize_t n = send(peer.fd, body, (size_t)LARGE - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        loop_turn(loop);
    }
    cr_expect_leq(requests[0].got, (uint64_t)2 * LOOP_READ_BUFFER);
    cr_expect_lt(sent, (size_t)LARGE);
    requests[0].keeps_data = false;
    while (!requests[0].is_closed && strchr(requests[0].log, 'e') == NULL) {
        stream_resume(requests[0].stream);
        ssize_t n = send(peer.fd, body, (size_t)LARGE - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        loop_turn(loop);
    }
    cr_expect_eq(requests[0].got, LARGE);
    cr_expect(owner_log_is(&requests[0], "hPOST d e"), "%s", requests[0].log);
    answer_hello(&requests[0]);
    cr_expect(peer_hears(&peer, hello));
    free(body);
}

static void say_continue(struct owner *owner)
{
    struct test_head made;

    test_response(&made, 100, BODY_NONE, -1);
    stream_send_interim(owner->stream, &made.head);
    test_head_fini(&made);
}

Test(h1_server, rfc9110_10_1_1_expect_continue)
{
    script.act = say_continue;
    script.acts_in = 'h';
    serve(false);
    peer_say(&peer, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    "Content-Length: 3\r\n\r\n");
    cr_expect(peer_hears(&peer, "HTTP/1.1 100 Continue\r\nX-Test: yes\r\n\r\n"));
    cr_expect(requests[0].head.expect_continue);
    buf_clear(&peer.got);
    peer_say(&peer, "abc");
    cr_expect(LOOP_UNTIL(loop, owner_log_is(&requests[0], "hPUT d e")));
    answer_hello(&requests[0]);
    cr_expect(peer_hears(&peer, hello));
    cr_expect_eq(gone, 0);
}

/* `hint`: a value of some length. */
static void say_hint(struct owner *owner, struct span hint)
{
    struct test_head made;

    test_response(&made, 103, BODY_NONE, -1);
    fields_add(&made.head.fields, SPAN("Link"), hint);
    stream_send_interim(owner->stream, &made.head);
    test_head_fini(&made);
}

Test(h1_server, rfc9110_15_2_interim_heads_do_not_pile_up)
{
    enum { HINTS = 200, HINT = 16384, ROOM = 1 << 20 };
    char *hint = xcalloc(1, HINT);

    memset(hint, 'x', HINT);
    serve(true);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(LOOP_UNTIL(loop, request_count == 1 && owner_log_is(&requests[0], "hGET e")));
    for (int i = 0; i < HINTS; i++) { /* all at once */
        say_hint(&requests[0], span_of(hint, HINT));
    }
    cr_expect_gt(requests[0].stream->sent, HINT);
    cr_expect_lt(requests[0].stream->sent, ROOM);
    for (int i = 0; i < HINTS; i++) { /* one after the other */
        say_hint(&requests[0], span_of(hint, HINT));
        loop_turn(loop);
    }
    cr_expect_lt(requests[0].stream->sent, ROOM);
    answer_hello(&requests[0]);
    cr_expect(peer_hears(&peer, hello));
    free(hint);
}

Test(h1_server, rfc9110_10_1_1_who_waits_for_a_100_gets_it_behind_others)
{
    enum { HINT = 70000 };
    char *hint = xcalloc(1, HINT);

    memset(hint, 'x', HINT);
    serve(true);
    peer_say(&peer, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    "Content-Length: 3\r\n\r\n");
    cr_assert(LOOP_UNTIL(loop, request_count == 1 && owner_log_is(&requests[0], "hPUT")));
    say_hint(&requests[0], span_of(hint, HINT));
    say_continue(&requests[0]);
    cr_expect(peer_hears(&peer, "HTTP/1.1 100 Continue\r\nX-Test: yes\r\n\r\n"));
    free(hint);
}

Test(h1_server, rfc9110_10_1_1_a_final_answer_instead_of_100_closes)
{
    serve_hello(false);
    peer_say(&peer, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    "Content-Length: 3\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_got(&peer, "hello"));
    cr_expect(owner_log_is(&requests[0], "hPUT s c0"), "%s", requests[0].log);
}

Test(h1_server, an_unread_short_body_is_drained)
{
    serve_hello(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    cr_expect(peer_hears(&peer, hello));
    char body[1000] = {0};
    peer_send(&peer, span_of(body, sizeof(body)));
    peer_say(&peer, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_bytes(&peer, 2 * (sizeof(hello) - 1)));
    cr_expect_eq(peer_count(&peer, hello), 2);
    cr_expect(owner_log_is(&requests[0], "hPOST s c0"), "%s", requests[0].log);
}

Test(h1_server, rfc9112_9_6_an_unread_long_body_closes_after_the_answer_was_read)
{
    char *body = xcalloc(1, LARGE);

    serve_hello(true);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n");
    peer_send(&peer, span_of(body, LARGE / 2)); /* a client that writes before it reads */
    cr_expect(peer_hears(&peer, "hello"));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_hears_eof(&peer));
    free(body);
}

Test(h1_server, an_endless_chunked_body_nobody_reads_is_not_drained_for_ever)
{
    char chunk[4096 + 8];

    memcpy(chunk, "1000\r\n", 6);
    memset(chunk + 6, 'x', 4096);
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    serve_hello(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, (peer_send(&peer, span_of(chunk, 4096 + 8)), peer_read(&peer, 4096),
                                peer.is_eof || peer.is_reset)));
    cr_expect(peer_got(&peer, "hello"));
}

/* ---- what cannot be parsed ---- */

static const struct {
    const char *what, *bytes;
    int status;
} malformed[] = {
    {"bare LF", "GET / HTTP/1.1\nHost: x\n\n", 400},
    {"no version", "GET /\r\n\r\n", 400},
    {"version 3", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
    {"two lengths",
     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
    {"unknown coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: br, chunked\r\n\r\n", 501},
};

Test(h1_server, rfc9112_2_2_malformed_heads_are_refused)
{
    for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
        bad_status = 0;
        gone = 0;
        serve_hello(false);
        peer_say(&peer, malformed[i].bytes);
        cr_expect(peer_hears_eof(&peer), "%s", malformed[i].what);
        cr_expect_eq(bad_status, malformed[i].status, "%s: %d", malformed[i].what, bad_status);
        cr_expect(peer_got(&peer, "Connection: close\r\n"));
        cr_expect(peer_got(&peer, "<p>no</p>"));
        cr_expect_eq(request_count, 0);
        peer_shutdown(&peer);
        cr_expect(LOOP_UNTIL(loop, gone == 1));
        peer_fini(&peer);
    }
}

Test(h1_server, what_came_before_a_malformed_head_is_answered)
{
    serve_hello(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, hello));
    cr_expect(peer_got(&peer, "HTTP/1.1 400 "));
}

Test(h1_server, rfc9112_7_1_a_broken_chunk_is_refused)
{
    script.act = NULL;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "HTTP/1.1 400 "));
    cr_expect_eq(requests[0].err, ERR_SYNTAX);
}

/* ---- ends ---- */

Test(h1_server, half_closed_clients_get_all_their_answers)
{
    serve_hello(false);
    peer_say(&peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_shutdown(&peer);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(peer_count(&peer, hello), 2);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_server, a_half_closed_client_waits_for_a_late_answer)
{
    script.act = NULL;
    serve(false);
    peer_say(&peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, request_count == 1));
    for (int i = 0; i < 20; i++) {
        loop_turn(loop);
    }
    cr_expect_not(requests[0].is_closed);
    answer_hello(&requests[0]);
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "hello"));
}

Test(h1_server, a_request_cut_short_is_truncated)
{
    script.act = NULL;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, ERR_TRUNCATED);
}

static const char *const resets[] = {
    "GET / HT",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n", /* while the answer is awaited */
    "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /b HT",
};

Test(h1_server, a_reset_ends_the_request_at_every_stage)
{
    script.act = NULL;
    for (size_t i = 0; i < sizeof(resets) / sizeof(*resets); i++) {
        gone = 0;
        request_count = 0;
        serve(false);
        peer_say(&peer, resets[i]);
        for (int turn = 0; turn < 5; turn++) {
            loop_turn(loop);
        }
        peer_reset(&peer);
        if (i == 3) { /* reading is off with a request buffered: the answer finds out */
            answer_hello(&requests[0]);
        }
        cr_expect(LOOP_UNTIL(loop, gone == 1), "%zu", i);
        for (size_t r = 0; r < request_count; r++) {
            cr_expect(requests[r].is_closed);
            owner_fini(&requests[r]);
        }
        request_count = 0;
        peer_fini(&peer);
    }
}

Test(h1_server, a_reset_in_the_middle_of_a_response_drops_the_source)
{
    serve_feed(true, LARGE, 100000, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_bytes(&peer, 1000));
    peer_reset(&peer);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_lt(requests[0].err, 0);
    cr_expect_eq(script.feed.drops, 1);
}

static void expect_broken(enum http_framing framing, const char *request, uint64_t announced)
{
    serve_feed(false, 40000, 10000, framing);
    script.length = (int64_t)announced;
    peer_say(&peer, request);
    cr_expect(peer_hears_close(&peer));
    cr_expect_not(peer_got(&peer, "\r\n0\r\n\r\n"));
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_lt(requests[0].err, 0);
    cr_expect_eq(script.feed.drops, 1);
}

Test(h1_server, rfc9112_8_a_body_that_ends_short_has_no_clean_end)
{
    expect_broken(BODY_LENGTH, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 50000);
    cr_expect_eq(requests[0].err, ERR_TRUNCATED);
}

static void answer_broken(struct owner *owner)
{
    script.feed.err = ERR_CORRUPT;
    answer_feed(owner);
}

Test(h1_server, rfc9112_8_a_broken_chunked_body_has_no_last_chunk)
{
    feed_init(&script.feed, loop, 40000, 10000);
    script.framing = BODY_CHUNKED;
    script.act = answer_broken;
    script.acts_in = 'h';
    serve(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_close(&peer));
    cr_expect(peer_got(&peer, "2710\r\n"));
    cr_expect_not(peer_got(&peer, "\r\n0\r\n\r\n"));
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, ERR_CORRUPT);
}

Test(h1_server, rfc9112_8_a_broken_body_of_a_10_response_is_reset)
{
    feed_init(&script.feed, loop, 40000, 10000);
    script.framing = BODY_CHUNKED;
    script.act = answer_broken;
    script.acts_in = 'h';
    serve(false);
    peer_say(&peer, "GET / HTTP/1.0\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, (peer_read(&peer, 65536), peer.is_reset || peer.is_eof)));
    cr_expect(peer.is_reset);
}

Test(h1_server, a_source_that_gives_more_than_announced_is_cut)
{
    serve_feed(false, 100, 100, BODY_LENGTH);
    script.length = 10;
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, requests[0].is_closed));
    peer_hears(&peer, "\t"); /* byte 9 of the pattern */
    cr_expect_eq(got_body().len, 10);
}

/* ---- giving up inside every event ---- */

static const char *const giving_up[] = {"h", "d", "e", "s"};

static void answer_or_give_up(struct owner *owner)
{
    owner_gives_up(owner);
}

Test(h1_server, the_stream_may_be_closed_inside_every_event)
{
    for (size_t i = 0; i < 3; i++) {
        gone = 0;
        request_count = 0;
        script.act = answer_or_give_up;
        script.acts_in = giving_up[i][0];
        serve(false);
        peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        cr_expect(peer_hears_close(&peer));
        cr_expect(LOOP_UNTIL(loop, gone == 1), "%s", giving_up[i]);
        cr_expect_not(requests[0].is_closed, "no event follows");
        owner_fini(&requests[0]);
        request_count = 0;
        peer_fini(&peer);
    }
}

static void send_and_give_up(struct owner *owner)
{
    answer_feed(owner);
    owner_gives_up(owner);
}

Test(h1_server, the_stream_may_be_closed_after_send)
{
    serve_feed(false, 1000, 1000, BODY_LENGTH);
    script.act = send_and_give_up;
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(script.feed.drops, 1);
}

Test(h1_server, the_stream_may_be_closed_from_outside_while_its_body_is_lent)
{
    serve_feed(true, LARGE, 1 << 20, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_bytes(&peer, 1000));
    owner_gives_up(&requests[0]);
    cr_expect_eq(script.feed.drops, 1, "at once");
    cr_expect_eq(gone, 0, "not inside the call");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect(peer_hears_close(&peer));
    cr_expect_lt(buf_len(&peer.got), (size_t)LARGE);
}

static void close_connection(struct owner *owner)
{
    h1_close(&h1);
}

Test(h1_server, the_connection_may_be_closed_inside_every_event)
{
    for (size_t i = 0; i < 3; i++) {
        script.act = close_connection;
        script.acts_in = giving_up[i][0];
        serve(false);
        peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        cr_expect(peer_hears_close(&peer));
        cr_expect_null(h1);
        cr_expect_eq(gone, 0);
        peer_fini(&peer);
    }
    script.act = NULL;
    script.close_connection = true;
    serve(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_close(&peer));
}

static void answer_then_close_in_sent(struct owner *owner)
{
    answer_hello(owner);
    owner->act = close_connection;
    owner->acts_in = 's';
}

static void answer_then_close_in_close(struct owner *owner)
{
    answer_hello(owner);
    owner->act = close_connection;
    owner->acts_in = 'c';
}

Test(h1_server, the_connection_may_be_closed_in_the_last_events)
{
    void (*const acts[])(struct owner *) = {answer_then_close_in_sent, answer_then_close_in_close};

    for (size_t i = 0; i < 2; i++) {
        script.act = acts[i];
        script.acts_in = 'h';
        serve(false);
        peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        cr_expect(peer_hears_close(&peer));
        cr_expect(peer_got(&peer, "hello"), "what was corked is still tried");
        cr_expect_null(h1);
        peer_fini(&peer);
    }
}

/* ---- draining ---- */

Test(h1_server, draining_closes_an_idle_connection)
{
    serve_hello(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears(&peer, hello));
    h1_drain(h1);
    cr_expect_eq(gone, 0, "not inside the call");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect(peer_hears_eof(&peer));
}

Test(h1_server, draining_lets_the_current_request_finish)
{
    script.act = NULL;
    serve(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, request_count == 1));
    h1_drain(h1);
    loop_turn(loop);
    answer_hello(&requests[0]);
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_got(&peer, "hello"));
}

Test(h1_server, draining_answers_who_has_just_connected)
{
    serve_hello(false);
    h1_drain(h1);
    loop_turn(loop);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_got(&peer, "hello"));
}

Test(h1_server, draining_does_not_wait_long_for_who_has_just_connected)
{
    settings.times.idle_ms = 3600 * 1000;
    serve_hello(false);
    h1_drain(h1);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 0);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_server, draining_kindly_answers_the_first_request_only)
{
    serve_hello(false);
    h1_drain_kindly(h1);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_got(&peer, "hello"));
}

Test(h1_server, draining_kindly_does_not_wait_long_for_a_first_request)
{
    settings.times.idle_ms = 3600 * 1000;
    serve_hello(false);
    h1_drain_kindly(h1);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 0);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

/* ---- timeouts ---- */

Test(h1_server, rfc9110_15_5_9_a_slow_head_is_answered_408)
{
    settings.times.head_ms = 150;
    serve_hello(false);
    peer_say(&peer, "GET / HT");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "HTTP/1.1 408 "));
    cr_expect_eq(bad_status, 408);
}

Test(h1_server, a_silent_connection_is_closed_quietly)
{
    settings.times.idle_ms = 150;
    serve_hello(false);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 0);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_server, a_body_that_stops_is_answered_408)
{
    settings.times.body_ms = 150;
    script.act = NULL;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "HTTP/1.1 408 "));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
}

/* Says `piece` every 50 ms until the request has been given up, or that was done 20 times. */
static void creep(const char *piece)
{
    for (int i = 0; i < 20 && !(request_count && requests[0].is_closed); i++) {
        uint64_t before = loop_now_ms(loop);
        peer_say(&peer, piece);
        LOOP_UNTIL(loop, loop_now_ms(loop) > before + 50);
    }
}

Test(h1_server, a_body_of_announced_length_that_creeps_is_answered_408)
{
    settings.times.body_ms = 400; /* 25 bytes are progress */
    script.act = NULL;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    creep("a");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "HTTP/1.1 408 "));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
}

static void expect_408_behind(const char *begin)
{
    settings.times.body_ms = 400;
    script.act = NULL;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer_say(&peer, begin);
    creep("a");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "HTTP/1.1 408 "));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
}

Test(h1_server, a_chunk_extension_that_creeps_is_answered_408)
{
    expect_408_behind("5;a=");
}

Test(h1_server, trailers_that_creep_are_answered_408)
{
    expect_408_behind("5\r\nabcde\r\n0\r\nA: b");
}

Test(h1_server, a_body_without_a_length_may_creep)
{
    settings.times.body_ms = 400;
    script.act = NULL;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    creep("1;a\r\nb\r\n");
    cr_expect_not(requests[0].is_closed);
    cr_expect_gt(requests[0].got, 1);
}

Test(h1_server, a_paused_body_is_not_late)
{
    settings.times.body_ms = 100;
    script.act = NULL;
    script.flow = STREAM_PAUSE;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    cr_expect(LOOP_UNTIL(loop, request_count && requests[0].got));
    uint64_t before = loop_now_ms(loop);
    cr_expect(LOOP_UNTIL(loop, loop_now_ms(loop) > before + 500));
    cr_expect_not(requests[0].is_closed);
    stream_resume(requests[0].stream);
    cr_expect(LOOP_UNTIL(loop, requests[0].is_closed));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
}

/* Waits until nothing more fits into the sockets. Returns how much of the feed was taken. */
static uint64_t fill_sockets(void)
{
    uint64_t before;

    do {
        before = script.feed.pos;
        uint64_t now = loop_now_ms(loop);
        cr_expect(LOOP_UNTIL(loop, loop_now_ms(loop) > now + 200));
    } while (script.feed.pos != before);
    return before;
}

/* At the second look at the latest: at the first something may have moved since it was sent. */
static bool is_stalled_at_last(void)
{
    cr_expect_not(h1_is_stalled(h1), "it may take some yet");
    for (int i = 0; i < 2 && !h1_is_stalled(h1); i++) {
        uint64_t before = loop_now_ms(loop);
        cr_expect(LOOP_UNTIL(loop, loop_now_ms(loop) > before + PACE_LOOK_MS));
    }
    return h1_is_stalled(h1);
}

Test(h1_server, a_reader_that_stands_still_is_stalled)
{
    serve_feed(true, LARGE, 1 << 20, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    uint64_t taken = fill_sockets();
    cr_expect(is_stalled_at_last());
    while (script.feed.pos == taken) {
        peer_read(&peer, 65536);
        loop_turn(loop);
    }
    cr_expect_not(h1_is_stalled(h1));
}

Test(h1_server, a_reader_that_stands_still_is_dropped)
{
    settings.times.body_ms = 150;
    serve_feed(true, LARGE, 1 << 20, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
    cr_expect_eq(script.feed.drops, 1);
}

Test(h1_server, a_reader_that_creeps_is_not_dropped)
{
    settings.times.body_ms = 1000; /* long beside what a busy machine makes this thread wait */
    serve_feed(true, LARGE, 1 << 20, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    uint64_t before = loop_now_ms(loop);
    LOOP_UNTIL(loop, (peer_read(&peer, 4096), loop_now_ms(loop) > before + 2500));
    cr_expect_eq(gone, 0);
}

/* Reads for so long, then stands still for so long. */
static void read_and_stop(uint64_t read_ms, uint64_t still_ms)
{
    uint64_t before = loop_now_ms(loop);

    LOOP_UNTIL(loop, (peer_read(&peer, 65536), loop_now_ms(loop) > before + read_ms));
    before = loop_now_ms(loop);
    LOOP_UNTIL(loop, loop_now_ms(loop) > before + still_ms);
}

/* For longer than the limit all went at once: what is waited for begins with the full socket. */
Test(h1_server, a_reader_that_stops_after_a_long_flow_has_its_time)
{
    settings.times.body_ms = 1500;
    serve_feed(true, LARGE, 200, BODY_LENGTH);
    script.feed.starves = true;
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    read_and_stop(2000, 300);
    cr_expect_eq(gone, 0);
    read_and_stop(100, 0);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
}

/* ---- tunnels ---- */

static struct feed tunnel_feed;

static void answer_tunnel(struct owner *owner)
{
    struct test_head made;

    test_response(&made, owner->head.method == METHOD_CONNECT ? 200 : 101, BODY_NONE, -1);
    if (owner->head.method != METHOD_CONNECT) {
        fields_add_id(&made.head.fields, FIELD_UPGRADE, SPAN("chat"));
    }
    stream_send(owner->stream, &made.head, &tunnel_feed.source);
    test_head_fini(&made);
}

static void expect_tunnel(const char *head, const char *response, const char *log)
{
    script.act = NULL;
    feed_init(&tunnel_feed, loop, 3, 3);
    tunnel_feed.starves = tunnel_feed.is_held = true;
    serve(false);
    peer_say(&peer, head);
    peer_say(&peer, "early");
    cr_expect(LOOP_UNTIL(loop, request_count == 1));
    for (int i = 0; i < 10; i++) {
        loop_turn(loop);
    }
    cr_expect_eq(requests[0].got, 0, "nothing before the switch");
    answer_tunnel(&requests[0]);
    cr_expect(peer_hears(&peer, response), "%.*s", SPAN_ARGS(buf_span(&peer.got)));
    cr_expect(LOOP_UNTIL(loop, requests[0].got == 5));
    peer_say(&peer, "late");
    cr_expect(LOOP_UNTIL(loop, requests[0].got == 9));
    cr_expect(span_eq(buf_span(&requests[0].data), SPAN("earlylate")));
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, strchr(requests[0].log, 'e') != NULL));
    buf_clear(&peer.got);
    feed_go(&tunnel_feed); /* the other direction is still open */
    cr_expect(LOOP_UNTIL(loop, tunnel_feed.pos == 3));
    feed_go(&tunnel_feed);
    cr_expect(peer_hears_eof(&peer));
    cr_expect(feed_is(buf_span(&peer.got), 0) && buf_len(&peer.got) == 3);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect(owner_log_is(&requests[0], log), "%s", requests[0].log);
}

Test(h1_server, rfc9110_9_3_6_connect_becomes_a_tunnel)
{
    expect_tunnel("CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nX-Test: yes\r\n\r\n", "hCONNECT d e s c0");
}

Test(h1_server, rfc9110_7_8_upgrade_becomes_a_tunnel)
{
    expect_tunnel("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
                  "HTTP/1.1 101 Switching Protocols\r\nX-Test: yes\r\nUpgrade: chat\r\n"
                  "Connection: upgrade\r\n\r\n",
                  "hGET d e s c0");
}

Test(h1_server, a_refused_connect_closes_and_parses_nothing_behind_it)
{
    script.act = answer_empty;
    script.acts_in = 'h';
    script.status = 403;
    serve(false);
    peer_say(&peer, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"
                    "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "HTTP/1.1 403 "));
    cr_expect_eq(request_count, 1);
    cr_expect(owner_log_is(&requests[0], "hCONNECT e s c0"), "%s", requests[0].log);
}

Test(h1_server, rfc9110_7_8_a_declined_upgrade_is_an_ordinary_request)
{
    serve_hello(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
    cr_expect(peer_hears(&peer, hello));
    cr_expect(owner_log_is(&requests[0], "hGET e s c0"), "%s", requests[0].log);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, request_count == 2));
}

Test(h1_server, a_tunnel_whose_reader_stands_still_times_out_whatever_it_says)
{
    settings.times.body_ms = 20;
    settings.times.tunnel_ms = 3600 * 1000;
    script.act = answer_tunnel;
    script.acts_in = 'h';
    feed_init(&tunnel_feed, loop, LARGE, 1 << 20);
    serve(true);
    peer_say(&peer, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1 || !peer_say(&peer, ".")));
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
    cr_expect_eq(tunnel_feed.drops, 1);
}

Test(h1_server, a_tunnel_in_which_only_the_target_speaks_is_not_silent)
{
    settings.times.tunnel_ms = 500;
    script.act = answer_tunnel;
    script.acts_in = 'h';
    feed_init(&tunnel_feed, loop, LARGE, 10);
    tunnel_feed.starves = true;
    serve(false);
    peer_say(&peer, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
    read_and_stop(1600, 0);
    cr_expect_eq(gone, 0);
}

Test(h1_server, a_silent_tunnel_times_out)
{
    settings.times.tunnel_ms = 150;
    script.act = answer_tunnel;
    script.acts_in = 'h';
    feed_init(&tunnel_feed, loop, 3, 3);
    tunnel_feed.starves = tunnel_feed.is_held = true;
    serve(false);
    peer_say(&peer, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
    cr_expect_eq(tunnel_feed.drops, 1);
}
