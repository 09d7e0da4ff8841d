#include "base/err.h"
#include "proxy/stream/pace.h"
#include "tests/unit/proxy/h1_server_kit.h"

#include <criterion/criterion.h>

TestSuite(h1_server_times, .init = h1_kit_init, .fini = h1_kit_fini);

Test(h1_server_times, rfc9110_15_5_9_a_slow_head_is_answered_408)
{
    settings.times.head_ms = 150;
    serve_hello(false);
    peer_say(&peer, "GET / HT");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "HTTP/1.1 408 "));
    cr_expect_eq(bad_status, 408);
}

Test(h1_server_times, a_silent_connection_is_closed_quietly)
{
    settings.times.idle_ms = 150;
    serve_hello(false);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 0);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_server_times, a_body_that_stops_is_answered_408)
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

Test(h1_server_times, a_body_of_announced_length_that_creeps_is_answered_408)
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

Test(h1_server_times, a_chunk_extension_that_creeps_is_answered_408)
{
    expect_408_behind("5;a=");
}

Test(h1_server_times, trailers_that_creep_are_answered_408)
{
    expect_408_behind("5\r\nabcde\r\n0\r\nA: b");
}

Test(h1_server_times, a_body_without_a_length_may_creep)
{
    settings.times.body_ms = 1000; /* long beside what a busy machine makes this thread wait */
    script.act = NULL;
    serve(false);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        creep("1;a\r\nb\r\n");
    }
    cr_expect_not(requests[0].is_closed);
    cr_expect_gt(requests[0].got, 1);
}

Test(h1_server_times, a_paused_body_is_not_late)
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

Test(h1_server_times, a_reader_that_stands_still_is_stalled)
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

Test(h1_server_times, a_reader_that_stands_still_is_dropped)
{
    settings.times.body_ms = 150;
    serve_feed(true, LARGE, 1 << 20, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, ERR_TIMEOUT);
    cr_expect_eq(script.feed.drops, 1);
}

Test(h1_server_times, a_reader_that_creeps_is_not_dropped)
{
    settings.times.body_ms = 1000; /* long beside what a busy machine makes this thread wait */
    serve_feed(true, LARGE, 1 << 20, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    uint64_t before = loop_now_ms(loop);
    LOOP_UNTIL(loop, (peer_read(&peer, 4096), loop_now_ms(loop) > before + 2500));
    cr_expect_eq(gone, 0);
}

/* For longer than the limit all went at once: what is waited for begins with the full socket. */
Test(h1_server_times, a_reader_that_stops_after_a_long_flow_has_its_time)
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

/* ---- the end of a response, which is queued when its turn is over ---- */

enum { QUEUED = 60000 }; /* corked, so that one write queues all of it */

static bool client_gets_all(void)
{
    return LOOP_UNTIL(loop, (peer_read(&peer, 65536),
                             got_body().len >= QUEUED || peer.is_eof || peer.is_reset)) &&
           got_body().len == QUEUED && feed_is(got_body(), 0);
}

Test(h1_server_times, who_still_takes_the_last_response_is_not_idle)
{
    settings.times.idle_ms = 300;
    settings.times.body_ms = 10000;
    serve_feed(true, QUEUED, 4096, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_sip(&peer, 1500);
    cr_expect(requests[0].is_closed, "the turn is over");
    cr_expect_eq(gone, 0);
    cr_expect(client_gets_all());
    cr_expect(peer_hears_eof(&peer), "then it is idle");
}

Test(h1_server_times, the_last_response_of_all_may_be_taken_slowly)
{
    settings.times.body_ms = 2000;
    serve_feed(true, QUEUED, 4096, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    peer_sip(&peer, 3000);
    cr_expect_eq(gone, 0);
    cr_expect(client_gets_all());
    cr_expect(peer_hears_eof(&peer));
}

Test(h1_server_times, the_last_response_of_all_is_not_waited_for_in_vain)
{
    settings.times.body_ms = 150;
    serve_feed(true, QUEUED, 4096, BODY_LENGTH);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, 0);
}

/* More than H1_LINGER_MS. */
Test(h1_server_times, an_early_response_may_be_taken_slowly)
{
    settings.times.body_ms = 10000;
    serve_feed(true, QUEUED, 4096, BODY_LENGTH);
    peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc");
    peer_sip(&peer, 3000);
    cr_expect_eq(gone, 0);
    cr_expect(client_gets_all());
    cr_expect(peer_hears_close(&peer), "the rest of the request is not waited for");
}
