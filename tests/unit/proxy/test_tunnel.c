#include "base/err.h"
#include "proxy/stream/h1.h"
#include "tests/lib/owner.h"
#include "tests/lib/peer.h"

#include <criterion/criterion.h>

static struct loop *loop;
static struct peer peer;
static struct owner owner;
static struct feed feed;

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
    if (owner.stream) {
        owner_gives_up(&owner);
        loop_turn(loop);
    }
    owner_fini(&owner);
    peer_fini(&peer);
    loop_free(&loop);
}

TestSuite(tunnel, .init = setup, .fini = teardown);

static void open_tunnel(bool narrow, uint64_t idle_ms)
{
    struct transport *transport;

    peer_pair(&peer, loop, &transport, narrow);
    owner_init(&owner, tunnel_stream(transport, idle_ms));
    tunnel_start(owner.stream);
}

static void send_feed(uint64_t total, size_t piece)
{
    feed_init(&feed, loop, total, piece);
    stream_send(owner.stream, NULL, &feed.source);
}

Test(tunnel, bytes_pass_both_ways)
{
    open_tunnel(false, 0);
    feed_init(&feed, loop, 20, 10);
    feed.starves = feed.is_held = true;
    stream_send(owner.stream, NULL, &feed.source);
    peer_say(&peer, "up");
    cr_expect(LOOP_UNTIL(loop, owner.got == 2));
    feed_go(&feed);
    cr_expect(peer_hears_bytes(&peer, 10));
    peer_say(&peer, "again");
    cr_expect(LOOP_UNTIL(loop, owner.got == 7));
    cr_expect(span_eq(buf_span(&owner.data), SPAN("upagain")));
    cr_expect_not(owner.is_closed);
    cr_expect_eq(owner.stream->received, 7);
    cr_expect_eq(owner.stream->sent, 20);
}

Test(tunnel, the_peer_may_close_its_direction_first)
{
    open_tunnel(false, 0);
    peer_say(&peer, "last");
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, owner_log_is(&owner, "d e")));
    send_feed(1000, 100);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 1000);
    cr_expect(LOOP_UNTIL(loop, owner.is_closed));
    cr_expect(owner_log_is(&owner, "d e s c0"), "%s", owner.log);
}

Test(tunnel, we_may_close_our_direction_first)
{
    open_tunnel(false, 0);
    send_feed(1000, 100);
    cr_expect(peer_hears_eof(&peer));
    peer_say(&peer, "still talking");
    cr_expect(LOOP_UNTIL(loop, owner.got == 13));
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, owner.is_closed));
    cr_expect(owner_log_is(&owner, "s d e c0"), "%s", owner.log);
}

Test(tunnel, an_empty_direction_is_closed_at_once)
{
    open_tunnel(false, 0);
    stream_send(owner.stream, NULL, NULL);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), 0);
}

Test(tunnel, a_slow_peer_bounds_what_is_pulled)
{
    enum { LARGE = 4 << 20 };
    uint64_t received = 0;

    open_tunnel(true, 0);
    send_feed(LARGE, 50000);
    while (received < LARGE && !peer.is_eof && !peer.is_reset) {
        peer_read(&peer, 65536);
        cr_assert(feed_is(buf_span(&peer.got), received));
        received += buf_len(&peer.got);
        buf_clear(&peer.got);
        cr_assert_leq(feed.pos, received + (1 << 20));
    }
    cr_expect_eq(received, LARGE);
    cr_expect(peer_hears_eof(&peer));
}

Test(tunnel, pausing_stops_the_peer)
{
    char bytes[4096] = {0};
    size_t sent = 0;

    open_tunnel(true, 0);
    owner.flow = STREAM_PAUSE;
    owner.keeps_data = false;
    for (int i = 0; i < 2000; i++) {
        ssize_t n = send(peer.fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        if (i % 100 == 0) {
            loop_turn(loop);
        }
    }
    cr_expect_lt(sent, (size_t)2000 * sizeof(bytes));
    cr_expect_leq(owner.got, (uint64_t)LOOP_READ_BUFFER);
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, (stream_resume(owner.stream), strchr(owner.log, 'e') != NULL)));
    cr_expect_eq(owner.got, sent);
}

Test(tunnel, a_reset_is_passed_on_as_an_error)
{
    open_tunnel(false, 0);
    feed_init(&feed, loop, 10, 10);
    feed.starves = feed.is_held = true;
    stream_send(owner.stream, NULL, &feed.source);
    peer_reset(&peer);
    cr_expect(LOOP_UNTIL(loop, owner.is_closed));
    cr_expect_lt(owner.err, 0);
    cr_expect_eq(feed.drops, 1);
}

Test(tunnel, a_broken_source_resets)
{
    open_tunnel(false, 0);
    feed_init(&feed, loop, 10, 10);
    feed.err = ERR_CLOSED;
    stream_send(owner.stream, NULL, &feed.source);
    cr_expect(LOOP_UNTIL(loop, owner.is_closed));
    cr_expect_eq(owner.err, ERR_CLOSED);
    cr_expect(LOOP_UNTIL(loop, (peer_read(&peer, 100), peer.is_reset || peer.is_eof)));
    cr_expect(peer.is_reset, "not a proper end");
}

Test(tunnel, silence_ends_it)
{
    open_tunnel(false, 150);
    cr_expect(LOOP_UNTIL(loop, owner.is_closed));
    cr_expect_eq(owner.err, ERR_TIMEOUT);
}

/* Both directions are closed, but the peer does not take what was sent last. */
Test(tunnel, an_end_that_is_not_taken_is_no_end)
{
    open_tunnel(true, 300);
    send_feed(60000, 4096);
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, owner.is_closed));
    cr_expect_eq(owner.err, ERR_TIMEOUT);
    cr_expect(LOOP_UNTIL(loop, (peer_read(&peer, 65536), peer.is_reset || peer.is_eof)));
    cr_expect(peer.is_reset, "not a proper end");
}

Test(tunnel, an_end_that_is_taken_slowly_is_one)
{
    open_tunnel(true, 10000);
    send_feed(60000, 4096);
    peer_shutdown(&peer);
    peer_sip(&peer, 500);
    cr_expect_not(owner.is_closed);
    cr_expect(peer_hears_eof(&peer));
    cr_expect(feed_is(buf_span(&peer.got), 0) && buf_len(&peer.got) == 60000);
    cr_expect(LOOP_UNTIL(loop, owner.is_closed));
    cr_expect_eq(owner.err, 0);
}

Test(tunnel, the_stream_may_be_closed_inside_every_event)
{
    static const char events[] = {'d', 'e', 's'};

    for (size_t i = 0; i < sizeof(events); i++) {
        open_tunnel(false, 0);
        owner.act = owner_gives_up;
        owner.acts_in = events[i];
        send_feed(10, 10);
        peer_say(&peer, "x");
        peer_shutdown(&peer);
        cr_expect(LOOP_UNTIL(loop, owner.stream == NULL), "%c", events[i]);
        loop_turn(loop);
        cr_expect_not(owner.is_closed);
        cr_expect_eq(feed.drops, 1);
        owner_fini(&owner);
        peer_fini(&peer);
    }
}

Test(tunnel, is_no_connection_of_http)
{
    open_tunnel(false, 0);
    cr_expect_null(h1_of_stream(owner.stream));
}
