#include "base/mem.h"
#include "tests/unit/proxy/h1_server_kit.h"

#include <criterion/criterion.h>

TestSuite(h1_server_body, .init = h1_kit_init, .fini = h1_kit_fini);

Test(h1_server_body, pausing_stops_the_client)
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

Test(h1_server_body, rfc9110_10_1_1_expect_continue)
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

Test(h1_server_body, rfc9110_15_2_interim_heads_do_not_pile_up)
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

Test(h1_server_body, rfc9110_10_1_1_who_waits_for_a_100_gets_it_behind_others)
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

Test(h1_server_body, rfc9110_10_1_1_a_final_answer_instead_of_100_closes)
{
    serve_hello(false);
    peer_say(&peer, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    "Content-Length: 3\r\n\r\n");
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "Connection: close\r\n"));
    cr_expect(peer_got(&peer, "hello"));
    cr_expect(owner_log_is(&requests[0], "hPUT s c0"), "%s", requests[0].log);
}

Test(h1_server_body, an_unread_short_body_is_drained)
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

Test(h1_server_body, rfc9112_9_6_an_unread_long_body_closes_after_the_answer_was_read)
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

Test(h1_server_body, an_endless_chunked_body_nobody_reads_is_not_drained_for_ever)
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
