#include "base/err.h"
#include "http/h1_body.h"
#include "tests/unit/proxy/h1_server_kit.h"
#include "tests/unit/proxy/writes.h"

#include <criterion/criterion.h>

TestSuite(h1_server, .init = h1_kit_init, .fini = h1_kit_fini);

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

Test(h1_server, who_pipelines_many_requests_lets_others_have_their_turn)
{
    enum { MANY = 300, A_TURN = 2 * 64 };
    struct buf all = BUF_INIT;
    size_t before = 0;

    serve_hello(false);
    for (int i = 0; i < MANY; i++) {
        buf_append(&all, SPAN("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    buf_append(&all, SPAN("GET /b HT"));
    peer_send(&peer, buf_span(&all));
    while (request_count < MANY) {
        loop_turn(loop);
        cr_assert_leq(request_count - before, A_TURN);
        before = request_count;
    }
    peer_say(&peer, "TP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_bytes(&peer, (MANY + 1) * (sizeof(hello) - 1)));
    cr_expect_eq(peer_count(&peer, hello), MANY + 1);
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
