#include "proxy/stream/pull.h"

#include "base/err.h"
#include "base/mem.h"
#include "tests/lib/content.h"
#include "tests/lib/peer.h"
#include "tests/unit/proxy/writes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- a body that lies in a file, as the store lends it ---- */

enum { FIRST = 4112 }; /* where it begins in the file */

struct filed {
    struct source source;
    int fd;
    char *map;
    size_t len, at;
    size_t piece; /* spans are no longer */
    int drops;
};

static struct filed *filed_of(struct source *source)
{
    return container_of(source, struct filed, source);
}

static int filed_peek(struct source *source, struct span *out)
{
    struct filed *filed = filed_of(source);
    size_t left = filed->piece - filed->at % filed->piece;

    *out = span_take(span_of(filed->map + FIRST + filed->at, filed->len - filed->at), left);
    return 0;
}

static void filed_advance(struct source *source, size_t n)
{
    struct filed *filed = filed_of(source);

    filed->at += n;
    cr_assert_leq(filed->at, filed->len);
}

static void filed_drop(struct source *source)
{
    filed_of(source)->drops++;
}

static bool filed_place(struct source *source, struct file_place *out)
{
    *out = (struct file_place){filed_of(source)->fd, FIRST + filed_of(source)->at};
    return true;
}

static void filed_init(struct filed *filed, size_t len, size_t piece)
{
    static const struct source_ops ops = {filed_peek, filed_advance, filed_drop, filed_place};
    char path[] = "/tmp/larder-pull-XXXXXX";
    char *bytes = xmalloc(len);

    *filed = (struct filed){.source.ops = &ops, .len = len, .piece = piece};
    filed->fd = mkstemp(path);
    cr_assert_geq(filed->fd, 0);
    unlink(path);
    content_fill(1, 0, bytes, len);
    cr_assert_eq(pwrite(filed->fd, bytes, len, FIRST), (ssize_t)len);
    filed->map = mmap(NULL, FIRST + len, PROT_READ, MAP_SHARED, filed->fd, 0);
    cr_assert_neq(filed->map, MAP_FAILED);
    free(bytes);
}

static void filed_fini(struct filed *filed)
{
    munmap(filed->map, FIRST + filed->len);
    close(filed->fd);
}

/* ---- a connection that pulls it, as h1 does ---- */

static struct loop *loop;
static struct peer peer;
static struct transport *transport;
static struct filed body;
static struct pull pull;
static int result; /* of the last pull_run() */
static bool broken;
static int error; /* of on_error */

static void run(void)
{
    struct buf *out = loop_out(loop);

    while (pull.source && (result = pull_run(&pull, transport, out, &broken)) == PULL_SPENT) {
    }
    if (result == PULL_END && buf_len(out) > 0) {
        struct span rest = buf_span(out);
        cr_assert_eq(transport_write(transport, &rest, 1, false), (ssize_t)rest.len);
    }
    buf_clear(out);
}

static void on_bytes(void *owner, struct span bytes)
{
}

static void on_event(void *owner)
{
}

static void on_writable(void *owner)
{
    pull_written(&pull);
    if (result == PULL_BLOCKED) {
        run();
    }
}

static void on_error(void *owner, int err)
{
    error = err;
}

static const struct transport_events events = {
    .on_bytes = on_bytes, .on_eof = on_event, .on_writable = on_writable, .on_error = on_error};

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
    writes_reset();
}

static void teardown(void)
{
    transport_close(&transport, false);
    pull_drop(&pull);
    peer_fini(&peer);
    loop_free(&loop);
    filed_fini(&body);
}

TestSuite(pull, .init = setup, .fini = teardown);

/* "head" and then the body. */
static void begin(bool narrow, size_t len, size_t piece, enum http_framing framing)
{
    filed_init(&body, len, piece);
    peer_pair(&peer, loop, &transport, narrow);
    transport_start(transport, &events, NULL);
    pull_init(&pull, &body.source, framing, (int64_t)len);
    buf_append(loop_out(loop), SPAN("head"));
    run();
}

static bool has_come(struct span got, size_t len)
{
    return got.len == len && content_compare(1, 0, got) == len;
}

static void expect_all(size_t len)
{
    cr_assert(peer_hears_bytes(&peer, 4 + len));
    cr_expect(LOOP_UNTIL(loop, result == PULL_END && transport_queued(transport) == 0));
    cr_expect(peer_got(&peer, "head"));
    cr_expect(has_come(span_skip(buf_span(&peer.got), 4), len), "%zu bytes", len);
    cr_expect_eq(body.drops, 1);
    cr_expect_eq(error, 0);
}

enum { LARGE = 3 << 20 };

Test(pull, a_body_in_a_file_costs_two_calls)
{
    begin(false, 60000, SIZE_MAX, BODY_LENGTH);
    cr_expect_eq(result, PULL_END);
    cr_expect_eq(writes_from_files(), 1);
    cr_expect(writes_held_back(), "no packet of its own for the head");
    cr_expect_eq(writes_tried() + writes_queued(), 0);
    cr_expect_eq(pull.from_file, 60000);
    cr_expect_eq(pull.moved, 60000);
    expect_all(60000);
}

Test(pull, what_is_left_of_the_budget_is_not_asked_at_the_end)
{
    filed_init(&body, PULL_BUDGET, SIZE_MAX);
    peer_pair(&peer, loop, &transport, false);
    transport_start(transport, &events, NULL);
    pull_init(&pull, &body.source, BODY_LENGTH, PULL_BUDGET);
    writes_swallow_file();
    cr_expect_eq(pull_run(&pull, transport, loop_out(loop), &broken), PULL_END);
    cr_expect_eq(body.drops, 1);
}

Test(pull, short_spans_are_written)
{
    begin(false, PULL_FILE_MIN * 3, PULL_FILE_MIN, BODY_LENGTH);
    expect_all(PULL_FILE_MIN * 3);
    cr_expect_eq(writes_from_files(), 0);
    cr_expect_eq(pull.from_file, 0);
}

Test(pull, chunks_are_written)
{
    begin(false, 100000, SIZE_MAX, BODY_CHUNKED);
    cr_assert(peer_hears(&peer, "0\r\n\r\n"));
    cr_expect_eq(writes_from_files(), 0);
}

Test(pull, until_the_end_of_the_connection)
{
    begin(false, 100000, SIZE_MAX, BODY_CLOSE);
    expect_all(100000);
    cr_expect_gt(writes_from_files(), 0);
    cr_expect(writes_held_back(), "nor is there a packet for the head of a long one");
}

/* Of a full socket's rest a step is lent, then the file goes on: nothing is lost, doubled or out of
 * order, however little the peer takes at once. */
Test(pull, a_slow_reader_gets_all_of_it)
{
    static const size_t bites[] = {777, 5000, 100000};

    begin(true, LARGE, 262128, BODY_LENGTH);
    cr_expect_eq(result, PULL_BLOCKED);
    cr_expect_gt(transport_queued(transport), 0);
    cr_expect_leq(transport_queued(transport), PULL_FILE_STEP);
    for (size_t i = 0; buf_len(&peer.got) < 300000; i++) {
        peer_read(&peer, bites[i % ARRAY_LEN(bites)]);
    }
    expect_all(LARGE);
    cr_expect_gt(pull.from_file, 0);
    cr_expect_gt(writes_from_files(), 1);
}

Test(pull, what_is_queued_already_leaves_first)
{
    char *before = xmalloc(LARGE);

    memset(before, 'b', LARGE);
    filed_init(&body, 100000, SIZE_MAX);
    peer_pair(&peer, loop, &transport, true);
    transport_start(transport, &events, NULL);
    pull_init(&pull, &body.source, BODY_LENGTH, 100000);
    buf_append(loop_out(loop), span_of(before, LARGE)); /* more than the socket takes */
    run();
    cr_expect_eq(result, PULL_BLOCKED);
    cr_expect_eq(pull.from_file, 0);
    cr_assert(peer_hears_bytes(&peer, LARGE + 100000));
    cr_expect(LOOP_UNTIL(loop, result == PULL_END));
    cr_expect_eq(memcmp(buf_span(&peer.got).at, before, LARGE), 0);
    cr_expect(has_come(span_skip(buf_span(&peer.got), LARGE), 100000));
    free(before);
}

Test(pull, an_interrupted_call_is_made_again)
{
    writes_fail_file(EINTR);
    begin(false, 60000, SIZE_MAX, BODY_LENGTH);
    cr_expect_eq(writes_from_files(), 2);
    cr_expect_eq(pull.from_file, 60000);
    expect_all(60000);
}

/* The head waits, and the file follows. */
static void expect_head_queued(int send_error)
{
    writes_refuse(send_error);
    begin(false, 60000, SIZE_MAX, BODY_LENGTH);
    cr_expect_eq(result, PULL_BLOCKED);
    cr_expect_eq(writes_queued(), 1);
    expect_all(60000);
    cr_expect_eq(pull.from_file, 60000);
}

Test(pull, a_full_socket_takes_the_head_later)
{
    expect_head_queued(EAGAIN);
}

Test(pull, a_kernel_without_buffers_takes_the_head_later)
{
    expect_head_queued(ENOBUFS);
}

Test(pull, a_head_that_is_interrupted_is_sent_again)
{
    writes_refuse(EINTR);
    begin(false, 60000, SIZE_MAX, BODY_LENGTH);
    cr_expect_eq(writes_queued(), 0);
    cr_expect(writes_held_back());
    expect_all(60000);
}

Test(pull, a_socket_that_was_full_goes_on_with_the_file)
{
    writes_fail_file(EAGAIN);
    begin(false, 300000, SIZE_MAX, BODY_LENGTH);
    cr_expect_eq(result, PULL_BLOCKED);
    expect_all(300000);
    cr_expect_eq(writes_tried(), 0, "it was known to be full");
    cr_expect_eq(pull.from_file, 300000 - PULL_FILE_STEP);
}

Test(pull, a_file_that_cannot_be_sent_is_written)
{
    writes_fail_file(EINVAL);
    begin(false, 300000, SIZE_MAX, BODY_LENGTH);
    expect_all(300000);
    cr_expect_eq(writes_from_files(), 1, "once is enough");
    cr_expect_eq(pull.from_file, 0);
}

static void expect_from_map(int file_error)
{
    writes_fail_file(file_error);
    begin(false, 300000, SIZE_MAX, BODY_LENGTH);
    expect_all(300000);
    cr_expect_eq(writes_from_files(), 1, "once is enough");
}

Test(pull, a_file_that_the_kernel_cannot_read_is_written_from_the_map)
{
    expect_from_map(EIO);
}

Test(pull, a_file_for_which_the_kernel_has_no_memory_is_written_from_the_map)
{
    expect_from_map(ENOMEM);
}

Test(pull, a_file_that_is_closed_breaks_the_body)
{
    writes_fail_file(EBADF);
    begin(false, 300000, SIZE_MAX, BODY_LENGTH);
    cr_expect_eq(result, ERR_TRUNCATED);
    cr_expect_not(broken, "the body, not the connection");
}

Test(pull, a_peer_that_is_gone_breaks_the_connection)
{
    filed_init(&body, 300000, SIZE_MAX);
    peer_pair(&peer, loop, &transport, false);
    transport_start(transport, &events, NULL);
    pull_init(&pull, &body.source, BODY_LENGTH, 300000);
    peer_reset(&peer);
    run();
    cr_expect_lt(result, 0);
    cr_expect(broken);
}

/* It has become shorter before a call, or while what is lent waits. Never a proper end. */
Test(pull, a_file_that_loses_its_end_breaks_the_body)
{
    begin(true, LARGE, SIZE_MAX, BODY_LENGTH);
    cr_assert_eq(result, PULL_BLOCKED);
    cr_assert_eq(ftruncate(body.fd, FIRST + 100), 0);
    cr_expect(LOOP_UNTIL(
        loop, (peer_read(&peer, 65536), error == ERR_TRUNCATED || result == ERR_TRUNCATED)));
    cr_expect_not(broken);
    cr_expect_lt(buf_len(&peer.got), LARGE);
}

Test(pull, a_file_that_has_lost_its_end_breaks_the_body)
{
    filed_init(&body, 300000, SIZE_MAX);
    cr_assert_eq(ftruncate(body.fd, FIRST), 0);
    peer_pair(&peer, loop, &transport, false);
    transport_start(transport, &events, NULL);
    pull_init(&pull, &body.source, BODY_LENGTH, 300000);
    run();
    cr_expect_eq(result, ERR_TRUNCATED);
    cr_expect_not(broken);
}

Test(pull, closing_in_the_middle_ends_all_use_of_the_file)
{
    begin(true, LARGE, SIZE_MAX, BODY_LENGTH);
    cr_assert_eq(result, PULL_BLOCKED);
    int calls = writes_from_files();
    transport_close(&transport, true);
    pull_drop(&pull);
    cr_expect_eq(body.drops, 1);
    cr_expect(LOOP_UNTIL(loop, (peer_read(&peer, 4096), peer.is_reset)));
    cr_expect_eq(writes_from_files(), calls);
}
