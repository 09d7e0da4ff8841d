#include "proxy/stream/h2.h"
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

/* ---- heads ---- */

Test(h2_client, a_known_method_needs_no_text)
{
    struct test_head made;

    owner_init(&request, h2_request(h2));
    test_request(&made, METHOD_PUT, "/a", BODY_NONE, -1);
    made.head.method_text = SPAN_EMPTY;
    stream_send(request.stream, &made.head, NULL);
    test_head_fini(&made);
    cr_assert(LOOP_UNTIL(loop, (peer_read(&peer, 65536), peer_got(&peer, "/a"))));
    cr_expect(peer_got(&peer, "\x42\3PUT"), ":method, as a literal of HPACK");
}
