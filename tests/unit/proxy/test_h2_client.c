#include "base/err.h"
#include "proxy/stream/h2.h"
#include "proxy/stream/pace.h"
#include "tests/lib/owner.h"
#include "tests/lib/peer.h"

#include <criterion/criterion.h>

/* ---- the connection under test, and the one request on it ---- */

static struct loop *loop;
static struct peer peer; /* the origin */
static struct h2 *h2;
static struct h2_settings settings;
static struct owner request;

static void on_gone(void *owner)
{
    h2 = NULL;
}

static void setup(void)
{
    static const struct h2_events events = {.on_gone = on_gone};
    struct transport *transport;

    cr_assert_eq(loop_new(&loop), 0);
    settings = (struct h2_settings){.limits = h1_default_limits};
    peer_pair(&peer, loop, &transport, false);
    h2 = h2_connect(transport, true, &settings, &events, NULL);
}

static void teardown(void)
{
    h2_close(&h2);
    owner_fini(&request);
    peer_fini(&peer);
    loop_free(&loop);
}

TestSuite(h2_client, .init = setup, .fini = teardown);

static void ask(void)
{
    struct test_head made;

    owner_init(&request, h2_request(h2));
    test_request(&made, METHOD_PUT, "/a", BODY_NONE, -1);
    made.head.method_text = SPAN_EMPTY;
    stream_send(request.stream, &made.head, NULL);
    test_head_fini(&made);
    cr_assert(LOOP_UNTIL(loop, (peer_read(&peer, 65536), peer_got(&peer, "/a"))));
}

/* ---- heads ---- */

Test(h2_client, a_known_method_needs_no_text)
{
    ask();
    cr_expect(peer_got(&peer, "\x42\3PUT"), ":method, as a literal of HPACK");
}

/* ---- interim responses ---- */

enum { FIRST_STREAM = 1 };

static void say_settings(void)
{
    cr_assert(peer_send(&peer, SPAN("\0\0\0\4\0\0\0\0\0")));
}

/* Frames HEADERS with :status as a literal of HPACK, all of them in one piece. */
static void say_heads(const char *status, int count, bool end)
{
    const char frame[] = {0, 0, 5,         1,         end ? 5 : 4, 0, 0, 0, FIRST_STREAM,
                          8, 3, status[0], status[1], status[2]};
    struct buf frames = BUF_INIT;

    for (int i = 0; i < count; i++) {
        buf_append(&frames, span_of(frame, sizeof(frame)));
    }
    cr_assert(peer_send(&peer, buf_span(&frames)));
    buf_fini(&frames);
}

static size_t count_heads(void)
{
    size_t count = 0;

    for (const char *at = request.log; (at = strstr(at, "h1")); at++) {
        count++;
    }
    return count;
}

static bool hears_reset(uint8_t code)
{
    const char frame[] = {0, 0, 4, 3, 0, 0, 0, 0, FIRST_STREAM, 0, 0, 0, (char)code};
    struct span got = buf_span(&peer.got);

    peer_read(&peer, 65536);
    return memmem(got.at, got.len, frame, sizeof(frame));
}

/* The stream ends with it, not the connection: other requests are under way there. */
Test(h2_client, endless_interim_heads_are_an_attack)
{
    say_settings();
    ask();
    say_heads("103", PACE_INTERIMS_MAX + 1, false);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, ERR_SYNTAX);
    cr_expect_eq(count_heads(), PACE_INTERIMS_MAX);
    cr_expect(LOOP_UNTIL(loop, hears_reset(0xb)), "ENHANCE_YOUR_CALM");
    cr_expect_not_null(h2);
}

Test(h2_client, an_hour_of_progress_is_no_attack)
{
    enum { SECONDS = 2, HEADS = PACE_INTERIMS_MAX / SECONDS + 1 };

    say_settings();
    ask();
    for (size_t second = 0; second < SECONDS; second++) {
        say_heads("102", HEADS, false);
        cr_assert(LOOP_UNTIL(loop, count_heads() == HEADS * (second + 1)));
        uint64_t began = loop_now_ms(loop);
        cr_assert(LOOP_UNTIL(loop, loop_now_ms(loop) - began >= 1000));
    }
    say_heads("204", 1, true);
    cr_expect(LOOP_UNTIL(loop, request.is_closed));
    cr_expect_eq(request.err, 0);
}
