#include "base/mem.h"
#include "tests/lib/peer.h"
#include "tests/unit/proxy/writes.h"

#include <criterion/criterion.h>
#include <errno.h>

/* ---- one side under test, with its events recorded ---- */

static struct loop *loop;
static struct peer peer;
static struct transport *transport;

static struct {
    struct buf bytes;
    int eof, writable, error;
    bool close_on_bytes; /* close inside the event */
    bool pause;          /* stop reading inside the event */
} seen;

static void on_bytes(void *owner, struct span bytes)
{
    cr_assert_leq(bytes.len, (size_t)LOOP_READ_BUFFER);
    buf_append(&seen.bytes, bytes);
    if (seen.close_on_bytes) {
        transport_close(&transport, false);
    } else if (seen.pause) {
        transport_read_stop(transport);
    }
}

static void on_eof(void *owner)
{
    seen.eof++;
}

static void on_writable(void *owner)
{
    seen.writable++;
}

static void on_error(void *owner, int err)
{
    cr_assert_lt(err, 0);
    seen.error++;
}

static const struct transport_events events = {
    .on_bytes = on_bytes, .on_eof = on_eof, .on_writable = on_writable, .on_error = on_error};

static void open_pair(bool narrow)
{
    peer_pair(&peer, loop, &transport, narrow);
    transport_start(transport, &events, NULL);
}

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
    transport_close(&transport, false);
    buf_fini(&seen.bytes);
    peer_fini(&peer);
    loop_free(&loop);
}

TestSuite(transport, .init = setup, .fini = teardown);

static bool seen_text(const char *text)
{
    return span_eq(buf_span(&seen.bytes), span_str(text));
}

/* ---- reading ---- */

Test(transport, bytes_arrive_only_while_reading_is_on)
{
    open_pair(false);
    peer_say(&peer, "one");
    for (int i = 0; i < 5; i++) {
        loop_turn(loop);
    }
    cr_expect_eq(buf_len(&seen.bytes), 0);
    seen.pause = true;
    transport_read_start(transport);
    cr_expect(LOOP_UNTIL(loop, seen_text("one")));
    peer_say(&peer, "two");
    for (int i = 0; i < 5; i++) {
        loop_turn(loop);
    }
    cr_expect(seen_text("one"));
    transport_read_start(transport);
    transport_read_start(transport);
    cr_expect(LOOP_UNTIL(loop, seen_text("onetwo")));
}

Test(transport, a_half_close_is_told_once_and_writing_goes_on)
{
    open_pair(false);
    transport_read_start(transport);
    peer_say(&peer, "bye");
    peer_shutdown(&peer);
    cr_expect(LOOP_UNTIL(loop, seen.eof));
    cr_expect(seen_text("bye"));
    struct span answer = SPAN("still here");
    cr_expect_eq(transport_write(transport, &answer, 1, false), 10);
    transport_shutdown(transport);
    cr_expect(peer_hears_eof(&peer));
    cr_expect(peer_got(&peer, "still here"));
    cr_expect_eq(seen.eof, 1);
    cr_expect_eq(seen.error, 0);
}

Test(transport, a_reset_is_an_error)
{
    open_pair(false);
    transport_read_start(transport);
    peer_reset(&peer);
    cr_expect(LOOP_UNTIL(loop, seen.error == 1));
}

Test(transport, a_reset_behind_the_last_bytes_is_no_end)
{
    open_pair(false);
    transport_read_start(transport);
    peer_say(&peer, "last");
    peer_reset(&peer);
    cr_expect(LOOP_UNTIL(loop, seen.error + seen.eof > 0));
    cr_expect(seen_text("last"));
    cr_expect_eq(seen.error, 1);
    cr_expect_eq(seen.eof, 0);
}

Test(transport, may_be_closed_inside_an_event)
{
    open_pair(false);
    seen.close_on_bytes = true;
    transport_read_start(transport);
    peer_say(&peer, "x");
    cr_expect(LOOP_UNTIL(loop, transport == NULL));
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(seen.error + seen.eof, 0);
}

/* ---- writing ---- */

Test(transport, a_small_write_is_one_system_call_and_keeps_nothing)
{
    open_pair(false);
    writes_reset();
    struct span parts[] = {SPAN("head "), SPAN(""), SPAN("body")};
    cr_expect_eq(transport_write(transport, parts, 3, false), 9);
    cr_expect_eq(transport_queued(transport), 0);
    cr_expect_eq(writes_tried(), 1);
    cr_expect_eq(writes_queued(), 0);
    cr_expect(peer_hears(&peer, "head body"));
}

/* `len` bytes in which every position can be told. */
static char *pattern(size_t len)
{
    char *bytes = xmalloc(len);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(i * 31 + i / 256);
    }
    return bytes;
}

enum { LARGE = 1 << 20 };

Test(transport, what_the_socket_does_not_take_is_copied)
{
    char *large = pattern(LARGE);
    char *mine = pattern(LARGE);

    open_pair(true);
    struct span parts[] = {span_of(mine, 1000), span_of(mine + 1000, LARGE - 1000)};
    cr_expect_eq(transport_write(transport, parts, 2, false), LARGE);
    cr_expect_gt(transport_queued(transport), 0);
    memset(mine, 0, LARGE); /* it was copied */
    struct span more = SPAN("more");
    cr_expect_eq(transport_write(transport, &more, 1, false), 4, "queued behind");
    cr_expect(peer_hears_bytes(&peer, LARGE + 4));
    cr_expect(LOOP_UNTIL(loop, seen.writable == 1));
    cr_expect_eq(transport_queued(transport), 0);
    cr_expect(span_eq(span_take(buf_span(&peer.got), LARGE), span_of(large, LARGE)));
    cr_expect(peer_got(&peer, "more"));
    free(large);
    free(mine);
}

Test(transport, a_kept_span_is_lent_until_writable)
{
    char *large = pattern(LARGE);

    open_pair(true);
    struct span parts[] = {SPAN("head"), span_of(large, LARGE)};
    ssize_t n = transport_write(transport, parts, 2, true);
    cr_expect_geq(n, 4);
    cr_expect_lt(n, LARGE + 4);
    cr_expect_gt(transport_queued(transport), 0);
    cr_expect_leq(transport_queued(transport), LARGE + 4 - (size_t)n);
    cr_expect(peer_hears_bytes(&peer, LARGE + 4));
    cr_expect(LOOP_UNTIL(loop, seen.writable == 1));
    cr_expect(span_eq(span_skip(buf_span(&peer.got), 4), span_of(large, LARGE)));
    free(large);
}

/* libuv has written everything, but says so only later. */
Test(transport, what_is_lent_counts_as_queued_until_writable)
{
    struct span lent = SPAN("lent");

    open_pair(false);
    writes_refuse(EAGAIN);
    cr_expect_eq(transport_write(transport, &lent, 1, true), 0);
    cr_expect_gt(transport_queued(transport), 0);
    cr_expect(LOOP_UNTIL(loop, seen.writable > 0));
    cr_expect_eq(transport_queued(transport), 0);
}

Test(transport, closing_gives_back_what_was_lent)
{
    char *large = pattern(LARGE);

    open_pair(true);
    struct span part = span_of(large, LARGE);
    cr_expect_lt(transport_write(transport, &part, 1, true), LARGE);
    transport_close(&transport, true);
    free(large);
    cr_expect(LOOP_UNTIL(loop, (peer_read(&peer, 4096), peer.is_reset)));
    cr_expect_eq(seen.writable + seen.error, 0);
}

Test(transport, shutdown_waits_for_the_queue)
{
    char *large = pattern(LARGE);

    open_pair(true);
    struct span part = span_of(large, LARGE);
    cr_expect_eq(transport_write(transport, &part, 1, false), LARGE);
    transport_shutdown(transport);
    cr_expect(peer_hears_eof(&peer));
    cr_expect_eq(buf_len(&peer.got), LARGE);
    free(large);
}

Test(transport, writing_to_a_gone_peer_is_an_error)
{
    open_pair(false);
    peer_reset(&peer);
    struct span part = SPAN("hello?");
    cr_expect_lt(transport_write(transport, &part, 1, false), 0);
}

Test(transport, knows_both_addresses)
{
    uint16_t theirs, ours;

    open_pair(false);
    struct ip remote = transport_peer(transport, &theirs);
    struct ip local = transport_local(transport, &ours);
    cr_expect(ip_is_v4(&remote) && ip_is_v4(&local));
    cr_expect_neq(theirs, 0);
    cr_expect_neq(ours, theirs);
}

Test(transport, an_unstarted_connection_can_be_closed)
{
    struct transport *unused = transport_new_tcp(loop);

    transport_close(&unused, true);
    transport_close(&unused, false);
    cr_expect_null(unused);
}
