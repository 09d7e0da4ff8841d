#include "base/err.h"
#include "tests/unit/proxy/h1_server_kit.h"

#include <criterion/criterion.h>

TestSuite(h1_server_ends, .init = h1_kit_init, .fini = h1_kit_fini);

/* ---- ends ---- */

Test(h1_server_ends, half_closed_clients_get_all_their_answers)
{
    serve_hello(false);
    peer_say(&peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    peer_shutdown(&peer);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(peer_count(&peer, hello), 2);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_server_ends, a_half_closed_client_waits_for_a_late_answer)
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

/* A crowd of them could otherwise keep all places, for two seconds each. */
Test(h1_server_ends, who_is_given_time_to_read_a_refusal_may_give_way)
{
    serve(false);
    peer_say(&peer, "GET / HTTP/3.0\r\n\r\n");
    cr_expect_not(h1_is_waiting(h1, 0));
    cr_expect(peer_hears_eof(&peer));
    cr_assert_not_null(h1);
    cr_expect(h1_is_waiting(h1, loop_now_ms(loop)));
}

Test(h1_server_ends, a_request_cut_short_is_truncated)
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

Test(h1_server_ends, a_reset_ends_the_request_at_every_stage)
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

Test(h1_server_ends, a_reset_in_the_middle_of_a_response_drops_the_source)
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

Test(h1_server_ends, rfc9112_8_a_body_that_ends_short_has_no_clean_end)
{
    expect_broken(BODY_LENGTH, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 50000);
    cr_expect_eq(requests[0].err, ERR_TRUNCATED);
}

static void answer_broken(struct owner *owner)
{
    script.feed.err = ERR_CORRUPT;
    answer_feed(owner);
}

Test(h1_server_ends, rfc9112_8_a_broken_chunked_body_has_no_last_chunk)
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

Test(h1_server_ends, rfc9112_8_a_broken_body_of_a_10_response_is_reset)
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

/* All of it was queued, and its turn is over. */
Test(h1_server_ends, rfc9112_8_a_10_response_whose_end_is_not_taken_is_reset)
{
    settings.times.body_ms = 150;
    serve_feed(true, 60000, 4096, BODY_CHUNKED);
    peer_say(&peer, "GET / HTTP/1.0\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(requests[0].err, 0);
    cr_expect(peer_hears_close(&peer));
    cr_expect_lt(got_body().len, (size_t)60000);
    cr_expect(peer.is_reset);
}

Test(h1_server_ends, a_source_that_gives_more_than_announced_is_cut)
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

Test(h1_server_ends, the_stream_may_be_closed_inside_every_event)
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

Test(h1_server_ends, the_stream_may_be_closed_after_send)
{
    serve_feed(false, 1000, 1000, BODY_LENGTH);
    script.act = send_and_give_up;
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect_eq(script.feed.drops, 1);
}

Test(h1_server_ends, the_stream_may_be_closed_from_outside_while_its_body_is_lent)
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

Test(h1_server_ends, the_connection_may_be_closed_inside_every_event)
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

Test(h1_server_ends, the_connection_may_be_closed_in_the_last_events)
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

Test(h1_server_ends, draining_closes_an_idle_connection)
{
    serve_hello(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears(&peer, hello));
    h1_drain(h1);
    cr_expect_eq(gone, 0, "not inside the call");
    cr_expect(LOOP_UNTIL(loop, gone == 1));
    cr_expect(peer_hears_eof(&peer));
}

Test(h1_server_ends, draining_lets_the_current_request_finish)
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

Test(h1_server_ends, draining_answers_who_has_just_connected)
{
    serve_hello(false);
    h1_drain(h1);
    loop_turn(loop);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_got(&peer, "hello"));
}

Test(h1_server_ends, draining_does_not_wait_long_for_who_has_just_connected)
{
    settings.times.idle_ms = 3600 * 1000;
    serve_hello(false);
    h1_drain(h1);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 0);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}

Test(h1_server_ends, draining_kindly_answers_the_first_request_only)
{
    serve_hello(false);
    h1_drain_kindly(h1);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_got(&peer, "hello"));
}

Test(h1_server_ends, draining_kindly_does_not_wait_long_for_a_first_request)
{
    settings.times.idle_ms = 3600 * 1000;
    serve_hello(false);
    h1_drain_kindly(h1);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 0);
    cr_expect(LOOP_UNTIL(loop, gone == 1));
}
