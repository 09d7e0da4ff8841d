#include "base/err.h"
#include "base/mem.h"
#include "base/touch.h"
#include "proxy/stream/transport_parts.h"
#include "tests/lib/certs.h"
#include "tests/lib/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE = 3 << 20 };

/* ---- two transports on one loop, with their events recorded ---- */

struct side {
    struct transport *transport;
    struct buf got;
    int ready, eof, writable, error;
    int err; /* of the handshake, or the last */
};

static struct loop *loop;
static struct side server, client;
static struct tls_context *ours, *theirs;
static struct buf errors, warnings;

static void on_bytes(void *owner, struct span bytes)
{
    struct side *side = owner;

    cr_assert_leq(bytes.len, (size_t)LOOP_READ_BUFFER);
    buf_append(&side->got, bytes);
}

static void on_eof(void *owner)
{
    ((struct side *)owner)->eof++;
}

static void on_writable(void *owner)
{
    ((struct side *)owner)->writable++;
}

static void on_error(void *owner, int err)
{
    struct side *side = owner;

    side->error++;
    side->err = err;
}

static const struct transport_events events = {
    .on_bytes = on_bytes, .on_eof = on_eof, .on_writable = on_writable, .on_error = on_error};

static void on_ready(void *owner, int err)
{
    struct side *side = owner;

    side->ready++;
    side->err = err;
    if (!err) {
        transport_start(side->transport, &events, side);
        transport_read_start(side->transport);
    }
}

static void setup(void)
{
    struct tls_report report = {&errors, &warnings};

    certs_make();
    certs_sign("one", "DNS:one.test", 90);
    struct tls_files files = {certs_path("one.pem"), certs_path("one.key")};
    struct tls_server_options options = {
        .identity = "a", .files = &files, .count = 1, .alpn = BIT(ALPN_HTTP1)};
    struct tls_client_options trust = {
        .ca = certs_path("ca.pem"), .verify = true, .alpn = BIT(ALPN_HTTP1)};
    cr_assert_eq(tls_server_new(&options, &report, &ours), 0);
    cr_assert_eq(tls_client_new(&trust, &report, &theirs), 0);
    cr_assert_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
    transport_close(&server.transport, false);
    transport_close(&client.transport, false);
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
    buf_fini(&server.got);
    buf_fini(&client.got);
    loop_free(&loop);
    certs_remove();
}

TestSuite(transport_tls, .init = setup, .fini = teardown);

static void open_sockets(bool narrow)
{
    struct peer peer;

    peer_pair(&peer, loop, &server.transport, narrow);
    client.transport = transport_new_tcp(loop);
    cr_assert_eq(uv_tcp_open((uv_tcp_t *)transport_uv(client.transport), peer.fd), 0);
}

static void serve(uint64_t limit_ms)
{
    transport_start_tls(
        server.transport, ours,
        &(struct handshake){.limit_ms = limit_ms, .done = on_ready, .owner = &server});
}

static void begin(const char *host, uint64_t limit_ms)
{
    struct tls_peer peer = {.host = span_str(host)};

    serve(limit_ms);
    transport_start_tls(
        client.transport, theirs,
        &(struct handshake){
            .peer = &peer, .limit_ms = limit_ms, .done = on_ready, .owner = &client});
    cr_expect_eq(server.ready + client.ready, 0); /* not from inside the call */
}

static void open_pair(bool narrow)
{
    open_sockets(narrow);
    begin("one.test", 0);
    cr_assert(LOOP_UNTIL(loop, server.ready && client.ready));
    cr_assert_eq(server.err, 0);
    cr_assert_eq(client.err, 0);
}

static bool got(const struct side *side, const char *text)
{
    return span_eq(buf_span(&side->got), span_str(text));
}

static char *pattern(size_t len)
{
    char *bytes = xmalloc(len);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(i * 7 + i / 251);
    }
    return bytes;
}

/* ---- the handshake ---- */

Test(transport_tls, both_hear_that_it_is_over_and_what_was_agreed_on)
{
    open_pair(false);
    cr_expect_eq(server.ready, 1);
    cr_expect_eq(client.ready, 1);
    cr_expect_eq(transport_alpn(server.transport), ALPN_HTTP1);
    cr_expect_eq(transport_alpn(client.transport), ALPN_HTTP1);
    cr_expect_not(transport_sends_files(server.transport));
    cr_expect_eq(transport_queued(server.transport), 0);
}

Test(transport_tls, a_peer_for_another_name_is_not_talked_to)
{
    open_sockets(false);
    begin("two.test", 0);
    cr_assert(LOOP_UNTIL(loop, client.ready));
    cr_expect_eq(client.err, ERR_CERT_NAME);
    transport_close(&client.transport, false);
    cr_expect(LOOP_UNTIL(loop, server.ready));
    cr_expect_eq(server.err, ERR_TLS); /* by the alert */
    cr_expect_not_null(strstr(tls_why(transport_tls(server.transport)), "alert"), "%s",
                       tls_why(transport_tls(server.transport)));
}

Test(transport_tls, a_handshake_that_takes_too_long_is_given_up)
{
    struct peer peer;

    peer_pair(&peer, loop, &server.transport, false);
    serve(50);
    cr_assert(peer_say(&peer, "\x16\x03"));
    cr_expect(LOOP_UNTIL(loop, server.ready));
    cr_expect_eq(server.err, ERR_TIMEOUT);
    transport_close(&server.transport, false);
    cr_expect(peer_hears_close(&peer));
    peer_fini(&peer);
}

static int asked;

static bool has_no_room(void *owner)
{
    asked++;
    return false;
}

/* Asked only when the handshake would begin: whoever has just connected needs next to nothing. */
Test(transport_tls, a_handshake_for_which_there_is_no_room_does_not_begin)
{
    struct peer peer;

    peer_pair(&peer, loop, &server.transport, false);
    transport_start_tls(
        server.transport, ours,
        &(struct handshake){.may_begin = has_no_room, .done = on_ready, .owner = &server});
    loop_turn(loop);
    cr_expect_eq(asked, 0);
    cr_assert(peer_say(&peer, "\x16\x03"));
    cr_expect(LOOP_UNTIL(loop, server.ready));
    cr_expect_eq(server.err, ERR_FULL);
    cr_expect_eq(asked, 1);
    transport_close(&server.transport, false);
    cr_expect(peer_hears_close(&peer));
    peer_fini(&peer);
}

Test(transport_tls, a_peer_that_leaves_first_is_gone)
{
    struct peer peer;

    peer_pair(&peer, loop, &server.transport, false);
    serve(0);
    peer_fini(&peer);
    cr_expect(LOOP_UNTIL(loop, server.ready));
    cr_expect_eq(server.err, ERR_CLOSED);
}

Test(transport_tls, may_be_closed_before_it_is_over)
{
    open_sockets(false);
    begin("one.test", 1000);
    transport_close(&server.transport, false);
    cr_expect(LOOP_UNTIL(loop, client.ready));
    cr_expect_neq(client.err, 0);
}

Test(transport_tls, http_is_answered_with_a_sentence)
{
    struct peer peer;

    peer_pair(&peer, loop, &server.transport, false);
    serve(0);
    cr_assert(peer_say(&peer, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_expect(LOOP_UNTIL(loop, server.ready));
    cr_expect_eq(server.err, ERR_TLS);
    transport_close(&server.transport, false);
    cr_expect(peer_hears(&peer, "This port speaks TLS: use https:// for it.\n"));
    cr_expect(peer_got(&peer, "HTTP/1.1 400 "));
    peer_fini(&peer);
}

static int begun;

static void on_begun(void *owner, int err)
{
    begun++;
}

/* As many clients, each of which has sent what is no hello. */
static void begin_all(struct peer *peers, struct transport **transports, int count)
{
    begun = 0;
    for (int i = 0; i < count; i++) {
        peer_pair(&peers[i], loop, &transports[i], false);
        transport_start_tls(transports[i], ours, &(struct handshake){.done = on_begun});
        cr_assert_eq(write(peers[i].fd, "no hello\n", 9), 9);
    }
}

static void end_all(struct peer *peers, struct transport **transports, int count)
{
    for (int i = 0; i < count; i++) {
        transport_close(&transports[i], false);
        peer_fini(&peers[i]);
    }
}

/* Each may cost a millisecond: the others have their turn in between. */
Test(transport_tls, few_handshakes_begin_in_one_turn)
{
    enum { CLIENTS = 20 };
    struct peer peers[CLIENTS];
    struct transport *transports[CLIENTS];
    int most = 0;

    begin_all(peers, transports, CLIENTS);
    for (int before = 0; begun < CLIENTS; before = begun) {
        loop_turn(loop);
        most = begun - before > most ? begun - before : most;
    }
    cr_expect_leq(most, 4);
    end_all(peers, transports, CLIENTS);
}

/* Whoever waits is not asked again and again, which takes long where thousands wait. */
Test(transport_tls, handshakes_that_wait_are_not_polled)
{
    enum { CLIENTS = 20 };
    struct peer peers[CLIENTS];
    struct transport *transports[CLIENTS];
    int polled = 0, waiting = 0;

    begin_all(peers, transports, CLIENTS);
    do {
        loop_turn(loop);
    } while (begun == 0);
    for (int i = 0; i < CLIENTS; i++) {
        polled += uv_is_active((uv_handle_t *)transport_uv(transports[i]));
        waiting += transport_awaits_turn(transports[i]);
    }
    cr_expect_geq(waiting, CLIENTS - 8, "%d wait when %d have begun", waiting, begun);
    cr_expect_leq(polled, 4, "%d are polled when %d have begun", polled, begun);
    transport_close(&transports[CLIENTS - 1], false); /* may be in the row */
    cr_expect(LOOP_UNTIL(loop, begun >= CLIENTS - 1));
    end_all(peers, transports, CLIENTS);
}

/* ---- bytes ---- */

Test(transport_tls, spans_arrive_as_one_stream)
{
    struct span question[] = {SPAN("one "), SPAN(""), SPAN("two "), SPAN("three")};

    open_pair(false);
    cr_expect_eq(transport_write(client.transport, question, 4, false), 13);
    cr_expect(LOOP_UNTIL(loop, got(&server, "one two three")));
    cr_expect_eq(transport_write(server.transport, question, 4, true), 13);
    cr_expect(LOOP_UNTIL(loop, got(&client, "one two three")));
    cr_expect_eq(server.writable, 0);
}

Test(transport_tls, lent_bytes_leave_as_the_socket_takes_them)
{
    char *body = pattern(LARGE);
    struct span spans[] = {SPAN("head"), span_of(body, LARGE)};

    open_pair(true);
    transport_read_stop(client.transport);
    ssize_t n = transport_write(server.transport, spans, 2, true);
    cr_assert_gt(n, 4);
    cr_assert_lt(n, LARGE + 4);
    size_t queued = transport_queued(server.transport);
    cr_expect_gt(queued, LARGE - (size_t)n);
    cr_expect_lt(queued, (size_t)LARGE);
    transport_read_start(client.transport);
    while (buf_len(&client.got) < LARGE + 4 && !server.error) {
        loop_turn(loop);
        cr_assert_leq(transport_queued(server.transport), queued, "it only becomes less");
        queued = transport_queued(server.transport);
    }
    cr_expect(LOOP_UNTIL(loop, server.writable));
    cr_expect_eq(server.writable, 1);
    cr_expect_eq(transport_queued(server.transport), 0);
    cr_expect_eq(memcmp(client.got.data + client.got.start + 4, body, LARGE), 0);
    free(body);
}

Test(transport_tls, what_is_not_lent_is_copied)
{
    char *body = pattern(LARGE);
    struct span span = span_of(body, LARGE);

    open_pair(true);
    cr_assert_eq(transport_write(server.transport, &span, 1, false), LARGE);
    memset(body, 0, LARGE);
    cr_expect_gt(transport_queued(server.transport), 0);
    cr_expect(LOOP_UNTIL(loop, buf_len(&client.got) == LARGE));
    cr_expect(LOOP_UNTIL(loop, server.writable == 1));
    free(body);
    body = pattern(LARGE);
    cr_expect_eq(memcmp(client.got.data + client.got.start, body, LARGE), 0);
    free(body);
}

static int touches; /* that still succeed */

static int touch_so_often(struct span bytes)
{
    return touches-- > 0 ? 0 : -EIO;
}

/* What is lent may be mapped from a file, and its disk may fail. */
Test(transport_tls, what_cannot_be_read_is_truncated)
{
    char *body = pattern(LARGE);
    struct span span = span_of(body, LARGE);

    touch_set(touch_so_often);
    open_pair(true);
    cr_expect_eq(transport_write(server.transport, &span, 1, true), ERR_TRUNCATED);
    cr_expect_eq(transport_queued(server.transport), 0);
    touches = 8;
    cr_assert_gt(transport_write(server.transport, &span, 1, true), 0);
    cr_expect(LOOP_UNTIL(loop, server.error));
    cr_expect_eq(server.err, ERR_TRUNCATED);
    cr_expect_eq(server.writable, 0);
    cr_expect_eq(memcmp(client.got.data + client.got.start, body, buf_len(&client.got)), 0);
    free(body);
}

/* ---- ends ---- */

Test(transport_tls, the_end_is_said_behind_what_is_queued)
{
    char *body = pattern(LARGE);
    struct span span = span_of(body, LARGE);

    open_pair(true);
    cr_assert_geq(transport_write(server.transport, &span, 1, true), 0);
    transport_shutdown(server.transport);
    cr_expect(LOOP_UNTIL(loop, client.eof));
    cr_expect_eq(client.error, 0);
    cr_expect_eq(buf_len(&client.got), (size_t)LARGE);
    cr_expect_eq(transport_write(client.transport, &(struct span)SPAN_INIT("still here"), 1, false),
                 10);
    cr_expect(LOOP_UNTIL(loop, got(&server, "still here")));
    free(body);
}

Test(transport_tls, a_close_says_that_it_is_the_end)
{
    open_pair(false);
    cr_assert_eq(transport_write(server.transport, &(struct span)SPAN_INIT("all"), 1, false), 3);
    transport_close(&server.transport, false);
    cr_expect(LOOP_UNTIL(loop, client.eof + client.error));
    cr_expect_eq(client.eof, 1);
    cr_expect(got(&client, "all"));
}

/* FIN without close_notify: anybody on the way could have sent it. */
Test(transport_tls, a_server_that_does_not_say_so_is_truncated)
{
    int fd;

    open_pair(false);
    cr_assert_eq(uv_fileno((uv_handle_t *)transport_stream(server.transport), &fd), 0);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    cr_expect(LOOP_UNTIL(loop, client.eof + client.error));
    cr_expect_eq(client.eof, 0);
    cr_expect_eq(client.err, ERR_TRUNCATED);
}

Test(transport_tls, a_client_that_does_not_say_so_is_believed)
{
    int fd;

    open_pair(false);
    cr_assert_eq(uv_fileno((uv_handle_t *)transport_stream(client.transport), &fd), 0);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    cr_expect(LOOP_UNTIL(loop, server.eof + server.error));
    cr_expect_eq(server.eof, 1);
}

Test(transport_tls, a_reset_is_an_error)
{
    open_pair(false);
    transport_close(&server.transport, true);
    cr_expect(LOOP_UNTIL(loop, client.eof + client.error));
    cr_expect_eq(client.error, 1);
    cr_expect_neq(client.err, ERR_TRUNCATED);
}
