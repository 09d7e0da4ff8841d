#include "base/err.h"
#include "base/mem.h"
#include "proxy/stream/h1.h"
#include "tests/lib/owner.h"
#include "tests/lib/peer.h"
#include "tests/unit/proxy/writes.h"

#include <criterion/criterion.h>

/* ---- the connection under test, and the one request on it ---- */

static struct loop *loop;
static struct peer peer; /* the origin */
static struct h1 *h1;
static struct h1_settings settings;
static struct owner request;
static int idle, gone;
static bool was_untouched; /* as seen inside on_close */
static void (*when_idle)(void);

static void on_idle(void *owner)
{
    idle++;
    if (when_idle) {
        when_idle();
    }
}

static void on_gone(void *owner)
{
    gone++;
    h1 = NULL;
}

static void dial(bool narrow)
{
    static const struct h1_events events = {.on_idle = on_idle, .on_gone = on_gone};
    struct transport *transport;

    peer_pair(&peer, loop, &transport, narrow);
    h1 = h1_connect(transport, &settings, &events, NULL);
}

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
    settings = (struct h1_settings){.limits = h1_default_limits};
}

static void teardown(void)
{
    h1_close(&h1);
    owner_fini(&request);
    peer_fini(&peer);
    loop_free(&loop);
}

TestSuite(h1_client, .init = setup, .fini = teardown);

static void note_untouched(struct owner *owner)
{
    was_untouched = h1_untouched(h1);
}

/* Sends a request; what it wrote down of an earlier one is forgotten. */
static void ask(enum http_method method, enum http_framing framing, int64_t length,
                struct source *body)
{
    struct test_head made;

    owner_fini(&request);
    owner_init(&request, h1_request(h1));
    request.act = note_untouched;
    request.acts_in = 'c';
    test_request(&made, method, "/a", framing, length);
    stream_send(request.stream, &made.head, body);
    test_head_fini(&made);
}

static void get(void)
{
    ask(METHOD_GET, BODY_NONE, -1, NULL);
}

static const char get_text[] = "GET /a HTTP/1.1\r\nHost: origin.test\r\nX-Test: yes\r\n\r\n";

static bool request_arrives(void)
{
    bool came = peer_hears(&peer, get_text);

    buf_clear(&peer.got);
    return came;
}

static bool request_ends(const char *log)
{
    return LOOP_UNTIL(loop, request.is_closed) && owner_log_is(&request, log);
}

/* ---- exchanges ---- */

Test(h1_client, a_request_and_its_answer_twice_on_one_connection)
{
    dial(false);
    for (int i = 1; i <= 2; i++) {
        writes_reset();
        get();
        cr_expect(request_arrives());
        cr_expect_eq(writes_tried(), 1);
        peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        cr_expect(request_ends("s h200 d e c0"), "%s", request.log);
        cr_expect(span_eq(buf_span(&request.data), SPAN("hello")));
        cr_expect_eq(request.sent, sizeof(get_text) - 1);
        cr_expect_eq(request.received, strlen("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
        cr_expect_eq(idle, i);
        cr_expect_not(was_untouched);
    }
    cr_expect_eq(gone, 0);
}

Test(h1_client, the_next_request_may_begin_inside_on_idle)
{
    dial(false);
    get();
    when_idle = get;
    cr_expect(request_arrives());
    peer_say(&peer, "HTTP/1.1 204 No Content\r\n\r\n");
    cr_expect(request_arrives());
    when_idle = NULL;
    peer_say(&peer, "HTTP/1.1 204 No Content\r\n\r\n");
    cr_expect(request_ends("s h204 e c0"), "%s", request.log);
    cr_expect_eq(idle, 2);
}

static const struct {
    const char *what;
    enum http_method method;
    const char *response, *log, *body;
    bool reusable, closes;
} responses[] = {
    {"length", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "s h200 d e c0", "ab",
     true, false},
    {"chunked", METHOD_GET,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;q=1\r\nb\r\n0\r\nT: "
     "v\r\n\r\n",
     "s h200 d e c0", "ab", true, false},
    {"until close", METHOD_GET, "HTTP/1.1 200 OK\r\n\r\nab", "s h200 d e c0", "ab", false, true},
    {"1.0 until close", METHOD_GET, "HTTP/1.0 200 OK\r\n\r\nab", "s h200 d e c0", "ab", false,
     true},
    {"1.0 closes", METHOD_GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", "s h200 d e c0",
     "ab", false, false},
    {"close", METHOD_GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
     "s h200 d e c0", "ab", false, false},
    {"HEAD", METHOD_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "s h200 e c0", "", true,
     false},
    {"304", METHOD_GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "s h304 e c0", "",
     true, false},
    {"204", METHOD_GET, "HTTP/1.1 204 No Content\r\n\r\n", "s h204 e c0", "", true, false},
    {"interim heads", METHOD_GET,
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
     "s h100 h103 h200 d e c0", "ab", true, false},
    {"more than announced", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
     "s h200 d e c0", "ab", false, false},
    {"a second answer", METHOD_GET,
     "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "s h204 e c0",
     "", false, false},
};

static void expect_response(size_t i)
{
    cr_expect(request_ends(responses[i].log), "%s: %s", responses[i].what, request.log);
    cr_expect(span_eq(buf_span(&request.data), span_str(responses[i].body)), "%s",
              responses[i].what);
    LOOP_UNTIL(loop, gone || idle);
    cr_expect_eq(idle, responses[i].reusable, "%s", responses[i].what);
    cr_expect_eq(gone, !responses[i].reusable, "%s", responses[i].what);
    idle = gone = 0;
    h1_close(&h1);
    peer_fini(&peer);
}

Test(h1_client, rfc9112_6_3_responses)
{
    for (size_t i = 0; i < sizeof(responses) / sizeof(*responses); i++) {
        dial(false);
        ask(responses[i].method, BODY_NONE, -1, NULL);
        cr_expect(peer_hears(&peer, "\r\n\r\n"));
        peer_say(&peer, responses[i].response);
        if (responses[i].closes) {
            peer_shutdown(&peer);
        }
        expect_response(i);
    }
}

/* The last two rows send more than one message: what is read with which is a matter of luck. */
Test(h1_client, rfc9112_6_3_responses_byte_by_byte)
{
    for (size_t i = 0; i + 2 < sizeof(responses) / sizeof(*responses); i++) {
        dial(false);
        ask(responses[i].method, BODY_NONE, -1, NULL);
        cr_expect(peer_hears(&peer, "\r\n\r\n"));
        peer_trickle(&peer, span_str(responses[i].response));
        if (responses[i].closes) {
            peer_shutdown(&peer);
        }
        expect_response(i);
    }
}

static const char chunked_answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                                     "chunked\r\n\r\n5\r\nabcde\r\n0a\r\n0123456789\r\n0\r\n\r\n";

Test(h1_client, split_at_every_byte)
{
    dial(false);
    for (size_t i = 1; i < sizeof(chunked_answer) - 1; i++) {
        get();
        cr_expect(request_arrives());
        peer_send(&peer, span_of(chunked_answer, i));
        loop_turn(loop);
        peer_send(&peer, span_of(chunked_answer + i, sizeof(chunked_answer) - 1 - i));
        cr_expect(request_ends("s h200 d e c0"), "%zu: %s", i, request.log);
        cr_expect(span_eq(buf_span(&request.data), SPAN("abcde0123456789")));
    }
}

/* ---- request bodies ---- */

Test(h1_client, a_body_of_known_length)
{
    struct feed feed;

    dial(false);
    feed_init(&feed, loop, 1000, 300);
    ask(METHOD_PUT, BODY_LENGTH, 1000, &feed.source);
    cr_expect(LOOP_UNTIL(loop, strchr(request.log, 's') != NULL));
    cr_expect_eq(feed.drops, 1);
    cr_expect(peer_hears_bytes(&peer, 1000));
    cr_expect(peer_got(&peer, "Content-Length: 1000\r\n"));
    peer_say(&peer, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    cr_expect(request_ends("s h201 e c0"), "%s", request.log);
    cr_expect_eq(idle, 1);
}

Test(h1_client, a_body_of_unknown_length_is_chunked)
{
    struct feed feed;

    dial(false);
    feed_init(&feed, loop, 600, 300);
    feed.starves = true;
    ask(METHOD_POST, BODY_STREAM, -1, &feed.source);
    cr_expect(peer_hears(&peer, "\r\n0\r\n\r\n"));
    cr_expect(peer_got(&peer, "Transfer-Encoding: chunked\r\n"));
    cr_expect_eq(peer_count(&peer, "12c\r\n"), 2);
    peer_say(&peer, "HTTP/1.1 204 No Content\r\n\r\n");
    cr_expect(request_ends("s h204 e c0"), "%s", request.log);
    cr_expect_eq(idle, 1);
}

Test(h1_client, an_early_answer_ends_the_exchange_and_the_connection)
{
    struct feed feed;

    dial(true);
    feed_init(&feed, loop, 10 << 20, 100000);
    ask(METHOD_PUT, BODY_LENGTH, 10 << 20, &feed.source);
    cr_expect(peer_hears_bytes(&peer, 1000));
    peer_say(&peer, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
    cr_expect(request_ends("h413 d e c0"), "%s", request.log);
    cr_expect_eq(feed.drops, 1);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(idle, 0);
}

/* The rest of it waits for feed_go(). */
static void begin_upload(struct feed *feed)
{
    dial(false);
    feed_init(feed, loop, 2000, 1000);
    feed->starves = true;
    feed->is_held = true;
    ask(METHOD_PUT, BODY_LENGTH, 2000, &feed->source);
    cr_expect(peer_hears(&peer, "\r\n\r\n"));
}

Test(h1_client, an_answer_before_a_reset_is_still_read)
{
    struct feed feed;

    begin_upload(&feed);
    peer_say(&peer, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
    peer_fini(&peer);
    feed_go(&feed);
    cr_expect(request_ends("h413 d e c0"), "%s", request.log);
    cr_expect_eq(feed.drops, 1);
}

/* The socket tells it only to the write. */
Test(h1_client, a_reset_that_a_write_has_met_is_no_proper_end)
{
    struct feed feed;

    begin_upload(&feed);
    peer_say(&peer, "HTTP/1.1 200 OK\r\n\r\nhalf of it");
    peer_reset(&peer);
    feed_go(&feed);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_null(strchr(request.log, 'e'), "%s", request.log);
    cr_expect_lt(request.err, 0);
}

Test(h1_client, a_source_that_breaks_breaks_the_connection)
{
    struct feed feed;

    dial(false);
    feed_init(&feed, loop, 600, 300);
    feed.err = ERR_TRUNCATED;
    ask(METHOD_POST, BODY_CHUNKED, -1, &feed.source);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, ERR_TRUNCATED);
    cr_expect(peer_hears_close(&peer));
    cr_expect_not(peer_got(&peer, "\r\n0\r\n\r\n"));
    cr_expect_eq(gone, 1);
}

/* ---- back pressure ---- */

Test(h1_client, pausing_stops_the_origin)
{
    enum { LARGE = 10 << 20 };
    char *body = xcalloc(1, LARGE);
    size_t sent = 0;

    dial(true);
    get();
    request.flow = STREAM_PAUSE;
    request.keeps_data = false;
    cr_expect(request_arrives());
    peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n");
    for (int i = 0; i < 400; i++) {
        ssize_t n = send(peer.fd, body, (size_t)LARGE - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        loop_turn(loop);
    }
    cr_expect_leq(request.got, (uint64_t)2 * LOOP_READ_BUFFER);
    cr_expect_lt(sent, (size_t)LARGE);
    while (!request.is_closed) {
        stream_resume(request.stream);
        ssize_t n = send(peer.fd, body, (size_t)LARGE - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        loop_turn(loop);
    }
    cr_expect_eq(request.got, LARGE);
    cr_expect(owner_log_is(&request, "s h200 d e c0"), "%s", request.log);
    cr_expect_eq(idle, 1);
    free(body);
}

/* Else who gets the body could ask for it again before it is stored. */
Test(h1_client, the_end_of_a_known_length_needs_no_room)
{
    dial(false);
    get();
    request.flow = STREAM_PAUSE;
    cr_expect(request_arrives());
    peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect(owner_log_is(&request, "s h200 d e c0"), "%s", request.log);
    cr_expect_eq(idle, 1);
}

/* ---- ends that are none ---- */

static const struct {
    const char *what, *response;
    int err;
    bool untouched;
} failures[] = {
    {"nothing", "", ERR_CLOSED, true},
    {"half a head", "HTTP/1.1 200 O", ERR_TRUNCATED, false},
    {"only an interim head", "HTTP/1.1 100 Continue\r\n\r\n", ERR_CLOSED, false},
    {"a short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ERR_TRUNCATED, false},
    {"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
     ERR_TRUNCATED, false},
    {"a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc", ERR_SYNTAX,
     false},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", ERR_SYNTAX, false},
    {"101 nobody asked for",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
     "Upgrade: chat\r\n\r\n",
     ERR_SYNTAX, false},
    {"length and coding",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", ERR_SYNTAX,
     false},
};

Test(h1_client, rfc9112_8_incomplete_and_broken_answers)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        dial(false);
        get();
        cr_expect(request_arrives());
        peer_say(&peer, failures[i].response);
        peer_shutdown(&peer);
        cr_expect(LOOP_UNTIL(loop, request.is_closed), "%s", failures[i].what);
        cr_expect_eq(request.err, failures[i].err, "%s: %s", failures[i].what,
                     err_text(request.err));
        cr_expect_eq(was_untouched, failures[i].untouched, "%s", failures[i].what);
        cr_expect_null(strchr(request.log, 'e'), "%s", failures[i].what);
        cr_expect(LOOP_UNTIL(loop, gone == 1));
        gone = 0;
        peer_fini(&peer);
    }
    cr_expect_eq(idle, 0);
}

Test(h1_client, endless_interim_heads_are_an_attack)
{
    dial(false);
    get();
    for (int i = 0; i < 100 && !request.is_closed; i++) {
        peer_say(&peer, "HTTP/1.1 103 Early Hints\r\n\r\n");
        loop_turn(loop);
    }
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, ERR_SYNTAX);
}

Test(h1_client, an_hour_of_progress_is_no_attack)
{
    dial(false);
    get();
    for (int second = 0; second < 3; second++) {
        uint64_t began = loop_now_ms(loop);
        for (int i = 0; i < 15; i++) {
            peer_say(&peer, "HTTP/1.1 102 Processing\r\n\r\n");
        }
        cr_assert(LOOP_UNTIL(loop, loop_now_ms(loop) - began >= 1000));
    }
    peer_say(&peer, "HTTP/1.1 204 No Content\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, 0);
}

Test(h1_client, a_reset_leaves_an_untouched_request_repeatable)
{
    dial(false);
    get();
    cr_expect(request_arrives());
    peer_reset(&peer);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_lt(request.err, 0);
    cr_expect(was_untouched);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_client, an_idle_connection_that_closes_is_gone)
{
    dial(false);
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_client, bytes_on_an_idle_connection_make_it_useless)
{
    dial(false);
    peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect(peer_hears_close(&peer));
}

Test(h1_client, what_was_said_before_the_request_is_not_its_answer)
{
    dial(false);
    owner_init(&request, h1_request(h1));
    request.act = note_untouched;
    request.acts_in = 'c';
    peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    cr_expect(request_ends("c-20008"), "%s", request.log);
    cr_expect(was_untouched, "it was never sent");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

/* ---- timeouts ---- */

Test(h1_client, an_origin_that_does_not_answer)
{
    settings.times.first_byte_ms = 150;
    dial(false);
    get();
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, ERR_TIMEOUT);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_client, an_origin_that_stops_in_the_middle)
{
    settings.times.body_ms = 150;
    dial(false);
    get();
    peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, ERR_TIMEOUT);
}

Test(h1_client, an_origin_that_does_not_take_the_body)
{
    struct feed feed;

    settings.times.body_ms = 150;
    dial(true);
    feed_init(&feed, loop, 10 << 20, 1 << 20);
    ask(METHOD_PUT, BODY_LENGTH, 10 << 20, &feed.source);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, ERR_TIMEOUT);
    cr_expect_eq(feed.drops, 1);
}

Test(h1_client, an_idle_connection_is_closed_after_its_time)
{
    settings.times.idle_ms = 150;
    dial(false);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect(peer_hears_eof(&peer));
}

/* ---- giving up ---- */

static const char events_of_answer[] = {'s', 'h', 'd', 'e'};

Test(h1_client, the_stream_may_be_closed_inside_every_event)
{
    for (size_t i = 0; i < sizeof(events_of_answer); i++) {
        gone = 0;
        dial(false);
        get();
        request.act = owner_gives_up;
        request.acts_in = events_of_answer[i];
        peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        cr_expect(LOOP_UNTIL(loop, gone == 1), "%c", events_of_answer[i]);
        cr_expect_not(request.is_closed);
        peer_fini(&peer);
    }
}

static void close_connection(struct owner *owner)
{
    h1_close(&h1);
}

Test(h1_client, the_connection_may_be_closed_inside_every_event)
{
    static const char all[] = {'s', 'h', 'd', 'e', 'c'};

    for (size_t i = 0; i < sizeof(all); i++) {
        dial(false);
        get();
        request.act = close_connection;
        request.acts_in = all[i];
        peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        cr_expect(LOOP_UNTIL(loop, h1 == NULL), "%c", all[i]);
        cr_expect(peer_hears_close(&peer));
        peer_fini(&peer);
    }
    cr_expect_eq(gone + idle, 0);
}

static void close_idle(void)
{
    h1_close(&h1);
}

Test(h1_client, the_connection_may_be_closed_inside_on_idle)
{
    dial(false);
    get();
    when_idle = close_idle;
    peer_say(&peer, "HTTP/1.1 204 No Content\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, h1 == NULL));
    cr_expect_eq(gone, 0);
}

Test(h1_client, the_stream_may_be_closed_before_anything_was_sent)
{
    struct feed feed;

    dial(false);
    feed_init(&feed, loop, 10, 10);
    ask(METHOD_PUT, BODY_LENGTH, 10, &feed.source);
    owner_gives_up(&request);
    cr_expect_eq(feed.drops, 1);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

/* ---- tunnels ---- */

static void ask_upgrade(struct source *source)
{
    struct test_head made;

    owner_init(&request, h1_request(h1));
    test_request(&made, METHOD_GET, "/chat", BODY_NONE, -1);
    made.head.upgrade = true;
    fields_add_id(&made.head.fields, FIELD_UPGRADE, SPAN("chat"));
    stream_send(request.stream, &made.head, source);
    test_head_fini(&made);
}

Test(h1_client, rfc9110_7_8_an_upgrade_becomes_a_tunnel)
{
    struct feed feed;

    dial(false);
    feed_init(&feed, loop, 5, 5);
    ask_upgrade(&feed.source);
    cr_expect(peer_hears(&peer, "Connection: upgrade\r\n\r\n"), "%.*s",
              SPAN_ARGS(buf_span(&peer.got)));
    loop_turn(loop);
    cr_expect_eq(feed.pos, 0, "nothing before the switch");
    buf_clear(&peer.got);
    peer_say(&peer, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                    "Upgrade: chat\r\n\r\nraw");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(feed_is(buf_span(&peer.got), 0) && buf_len(&peer.got) == 5);
    peer_say(&peer, " bytes");
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect(owner_log_is(&request, "h101 d s d e c0"), "%s", request.log);
    cr_expect(span_eq(buf_span(&request.data), SPAN("raw bytes")));
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_client, rfc9110_7_8_a_declined_upgrade_is_an_ordinary_answer)
{
    struct feed feed;

    dial(false);
    feed_init(&feed, loop, 5, 5);
    ask_upgrade(&feed.source);
    peer_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect(owner_log_is(&request, "h200 s d e c0"), "%s", request.log);
    cr_expect_eq(feed.pos, 0);
    cr_expect_eq(feed.drops, 1);
    cr_expect_eq(idle, 1);
}

/* The request has met a reset, behind which there was an answer already. */
Test(h1_client, an_upgrade_that_was_not_sent_is_not_granted)
{
    struct feed feed;

    dial(false);
    feed_init(&feed, loop, 5, 5);
    ask_upgrade(&feed.source);
    peer_say(&peer, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                    "Upgrade: chat\r\n\r\n");
    peer_reset(&peer);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_null(strchr(request.log, 'h'), "%s", request.log);
    cr_expect_lt(request.err, 0);
    cr_expect_eq(feed.drops, 1);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}
