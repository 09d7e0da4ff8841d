#include "base/err.h"
#include "proxy/stream/h1.h"
#include "tests/lib/owner.h"
#include "tests/lib/peer.h"
#include "tests/unit/proxy/writes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Two tunnels: what comes from the left one may go to the right one at once. Its own source has
 * nothing to say. */
static struct loop *loop;
static struct peer left_peer, right_peer;
static struct owner left, right;
static struct feed silence;
static int left_fd; /* where the left peer's bytes arrive */

enum {
    LARGE = 1 << 18, /* more than is read at once, and less than sockets hold */
    PIECE = 1 << 15, /* large enough to be worth it, and less than a socket has room for at once */
};

static int open_side(struct peer *peer, struct owner *owner, bool narrow)
{
    struct transport *transport;
    int fd;

    peer_pair(peer, loop, &transport, narrow);
    cr_assert_eq(uv_fileno((uv_handle_t *)transport_uv(transport), &fd), 0);
    owner_init(owner, tunnel_stream(transport, 0));
    tunnel_start(owner->stream);
    return fd;
}

static void open_both(bool narrow_right)
{
    left_fd = open_side(&left_peer, &left, false);
    open_side(&right_peer, &right, narrow_right);
    feed_init(&silence, loop, 10, 10);
    silence.starves = silence.is_held = true;
    stream_send(right.stream, NULL, &silence.source);
    loop_turn(loop);
    left.sink = right.stream;
    writes_reset();
}

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
}

static void close_side(struct peer *peer, struct owner *owner)
{
    if (owner->stream) {
        owner_gives_up(owner);
        loop_turn(loop);
    }
    owner_fini(owner);
    peer_fini(peer);
}

static void teardown(void)
{
    close_side(&left_peer, &left);
    close_side(&right_peer, &right);
    loop_turn(loop);
    loop_free(&loop);
}

TestSuite(h1_splice, .init = setup, .fini = teardown);

static char text[LARGE];

/* Each byte tells its position. */
static struct span said(size_t from, size_t to)
{
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)(i % 251);
    }
    return span_of(text + from, to - from);
}

/* All of it is there before any of it is read: on a busy machine the rest may come a little later,
 * which is little traffic then. */
static void send_piece(size_t from, size_t to)
{
    uint64_t end = peer_deadline() + PEER_PATIENCE_MS;
    int there = 0;

    cr_assert(peer_send(&left_peer, said(from, to)));
    while (there < (int)(to - from)) {
        cr_assert_lt(peer_deadline(), end);
        usleep(50);
        cr_assert_eq(ioctl(left_fd, FIONREAD, &there), 0);
    }
}

static bool has_arrived(size_t received)
{
    peer_read(&right_peer, 65536);
    return left.stream->received == received &&
           buf_len(&right_peer.got) == (size_t)right.stream->sent;
}

/* Sent in pieces, while the right one reads. */
static void say(size_t from, size_t to)
{
    for (size_t at = from; at < to; at += PIECE) {
        size_t end = to - at > PIECE ? at + PIECE : to;
        send_piece(at, end);
        cr_assert(LOOP_UNTIL(loop, has_arrived(end)));
    }
}

Test(h1_splice, what_comes_goes_on_unseen)
{
    open_both(false);
    say(0, LARGE);
    cr_expect_gt(writes_spliced(), 0);
    cr_expect_lt(left.got, LARGE, "the first bytes are read as always");
    cr_expect(peer_hears_bytes(&right_peer, LARGE - left.got));
    cr_expect(span_eq(buf_span(&right_peer.got), said(left.got, LARGE)));
    cr_expect_eq(right.stream->sent, LARGE - left.got);
    cr_expect_eq(left.stream->received, LARGE);
}

Test(h1_splice, little_is_read)
{
    open_both(false);
    for (size_t i = 0; i < 50; i++) {
        say(i * 1000, i * 1000 + 1000);
    }
    cr_expect_eq(writes_spliced(), 0);
    cr_expect_eq(left.got, 50000);
    cr_expect_eq(left.asked_for_sink, 0);
}

Test(h1_splice, without_a_sink_it_is_read)
{
    open_both(false);
    left.sink = NULL;
    say(0, LARGE);
    cr_expect_gt(left.asked_for_sink, 0);
    cr_expect_eq(writes_spliced(), 0);
    cr_expect(span_eq(buf_span(&left.data), said(0, LARGE)));
}

Test(h1_splice, before_a_sink_that_waits_nothing_is_read)
{
    open_both(false);
    say(0, PIECE);
    left.sink_flow = STREAM_PAUSE;
    send_piece(PIECE, 2 * PIECE);
    for (int i = 0; i < 20; i++) {
        loop_turn(loop);
    }
    cr_expect_eq(left.asked_for_sink, 1);
    cr_expect_eq(left.got, PIECE);
    left.sink_flow = STREAM_MORE;
    stream_resume(left.stream);
    cr_expect(LOOP_UNTIL(loop, left.stream->received == 2 * PIECE));
    cr_expect(peer_hears_bytes(&right_peer, PIECE));
    cr_expect_eq(left.got, PIECE);
}

/* Both ends of the pipe are empty again each time: what the second socket has no room for is read.
 */
Test(h1_splice, what_a_full_socket_does_not_take_is_read)
{
    open_both(true);
    cr_assert(peer_send(&left_peer, said(0, LARGE)));
    cr_expect(LOOP_UNTIL(loop, left.stream->received == LARGE));
    cr_expect_gt(writes_spliced(), 0);
    size_t direct = (size_t)right.stream->sent;
    cr_expect_eq(left.got + direct, LARGE);
    cr_expect(peer_hears_bytes(&right_peer, direct));
    cr_expect_eq(buf_len(&right_peer.got), direct);
}

Test(h1_splice, the_end_follows_the_last_byte)
{
    open_both(false);
    say(0, LARGE);
    peer_shutdown(&left_peer);
    cr_expect(LOOP_UNTIL(loop, owner_log_is(&left, "d e")), "%s", left.log);
    cr_expect_not(right_peer.is_eof, "that is for the owner to pass on");
}

Test(h1_splice, a_reset_is_no_end)
{
    open_both(false);
    say(0, LARGE);
    cr_assert(peer_send(&left_peer, said(0, LARGE)));
    peer_reset(&left_peer);
    cr_expect(LOOP_UNTIL(loop, left.is_closed));
    cr_expect_lt(left.err, 0);
    cr_expect_null(strchr(left.log, 'e'));
}

/* It says so once only: to splice(2), and its end would look like a proper one then. */
Test(h1_splice, a_sink_that_is_broken_fails_at_its_next_write)
{
    open_both(false);
    writes_fail_splice(ECONNRESET);
    cr_assert(peer_send(&left_peer, said(0, LARGE)));
    cr_expect(LOOP_UNTIL(loop, left.stream->received == LARGE));
    peer_shutdown(&right_peer);
    for (int i = 0; i < 20; i++) {
        loop_turn(loop);
    }
    cr_expect_eq(left.got, LARGE);
    cr_expect_null(strchr(right.log, 'e'));
    feed_go(&silence);
    cr_expect(LOOP_UNTIL(loop, right.is_closed));
    cr_expect_lt(right.err, 0);
    cr_expect_null(strchr(right.log, 'e'));
    left.sink = NULL;
}

/* The kernel is short of memory for a moment: nothing is wrong with the socket, which is written to
 * as if it were full. */
static void expect_goes_on(int error)
{
    open_both(false);
    writes_fail_splice(error);
    say(0, LARGE);
    cr_expect_eq(left.got, LARGE);
    feed_go(&silence);
    cr_expect(peer_hears_bytes(&right_peer, silence.total));
    cr_expect(feed_is(buf_span(&right_peer.got), 0));
    cr_expect_not(right.is_closed);
    left.sink = NULL;
}

Test(h1_splice, a_kernel_without_buffers_takes_it_later)
{
    expect_goes_on(ENOBUFS);
}

Test(h1_splice, a_kernel_without_memory_takes_it_later)
{
    expect_goes_on(ENOMEM);
}

Test(h1_splice, a_sink_may_be_gone)
{
    open_both(false);
    say(0, LARGE / 2);
    owner_gives_up(&right);
    left.sink = NULL;
    loop_turn(loop);
    uint64_t got = left.got;
    cr_assert(peer_send(&left_peer, said(LARGE / 2, LARGE)));
    cr_expect(LOOP_UNTIL(loop, left.stream->received == LARGE));
    cr_expect_eq(left.got - got, LARGE / 2);
}
