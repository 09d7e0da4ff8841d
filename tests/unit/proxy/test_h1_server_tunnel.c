#include "base/err.h"
#include "tests/unit/proxy/h1_server_kit.h"

#include <criterion/criterion.h>

TestSuite(h1_server_tunnel, .init = h1_kit_init, .fini = h1_kit_fini);

static struct feed tunnel_feed;

static void answer_empty(struct owner *owner)
{
    struct test_head made;

    test_response(&made, script.status, BODY_NONE, -1);
    stream_send(owner->stream, &made.head, NULL);
    test_head_fini(&made);
}

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

Test(h1_server_tunnel, rfc9110_9_3_6_connect_becomes_a_tunnel)
{
    expect_tunnel("CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nX-Test: yes\r\n\r\n", "hCONNECT d e s c0");
}

Test(h1_server_tunnel, rfc9110_7_8_upgrade_becomes_a_tunnel)
{
    expect_tunnel("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
                  "HTTP/1.1 101 Switching Protocols\r\nX-Test: yes\r\nUpgrade: chat\r\n"
                  "Connection: upgrade\r\n\r\n",
                  "hGET d e s c0");
}

Test(h1_server_tunnel, a_refused_connect_closes_and_parses_nothing_behind_it)
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

Test(h1_server_tunnel, rfc9110_7_8_a_declined_upgrade_is_an_ordinary_request)
{
    serve_hello(false);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
    cr_expect(peer_hears(&peer, hello));
    cr_expect(owner_log_is(&requests[0], "hGET e s c0"), "%s", requests[0].log);
    peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_expect(LOOP_UNTIL(loop, request_count == 2));
}

Test(h1_server_tunnel, a_tunnel_whose_reader_stands_still_times_out_whatever_it_says)
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

Test(h1_server_tunnel, a_tunnel_in_which_only_the_target_speaks_is_not_silent)
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

Test(h1_server_tunnel, a_silent_tunnel_times_out)
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
