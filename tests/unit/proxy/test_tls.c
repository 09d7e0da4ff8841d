#include "base/err.h"
#include "proxy/stream/tls_context_parts.h"
#include "proxy/stream/tls_sessions.h"
#include "proxy/stream/tls.h"
#include "tests/lib/certs.h"

#include <criterion/criterion.h>

/* ---- two engines that talk to each other ---- */

static struct buf errors, warnings;
static const struct tls_report report = {&errors, &warnings};
static struct tls_sessions *sessions;
static struct tls *server, *client;
static struct buf to_server, to_client;
static int server_err, client_err;

static void setup(void)
{
    certs_make();
    certs_sign("one", "DNS:one.test,IP:127.0.0.1", 90);
    certs_sign("two", "DNS:two.test", 90);
    certs_sign("old", "DNS:one.test", 0);
    sessions = tls_sessions_new(16);
}

static void close_both(void)
{
    tls_free(&server);
    tls_free(&client);
    buf_fini(&to_server);
    buf_fini(&to_client);
}

static void teardown(void)
{
    close_both();
    tls_sessions_free(&sessions);
    certs_remove();
    buf_fini(&errors);
    buf_fini(&warnings);
}

TestSuite(tls, .init = setup, .fini = teardown);

static struct tls_context *serve(const char *identity, unsigned alpn, struct tls_context *before)
{
    struct tls_files files[] = {{certs_path("one.pem"), certs_path("one.key")},
                                {certs_path("two.pem"), certs_path("two.key")}};
    struct tls_context *context;

    cr_assert_eq(
        tls_server_new(
            &(struct tls_server_options){
                .identity = identity, .files = files, .count = 2, .alpn = alpn, .before = before},
            &report, &context),
        0);
    return context;
}

static struct tls_context *trust(const char *ca, bool verify, unsigned alpn)
{
    struct tls_context *context;

    cr_assert_eq(tls_client_new(&(struct tls_client_options){.ca = ca ? certs_path(ca) : NULL,
                                                             .verify = verify,
                                                             .alpn = alpn},
                                &report, &context),
                 0);
    return context;
}

/* One flight: all that waits goes to `to`, as one feed. */
static int step(struct tls *to, struct buf *in, struct buf *out)
{
    struct buf flight = *in;

    *in = BUF_INIT;
    tls_feed(to, buf_span(&flight));
    int err = tls_handshake(to, out);
    char rest[64];
    ssize_t n = err ? 0 : tls_read(to, rest, sizeof(rest), out);
    cr_assert(err || n == ERR_AGAIN, "%zd %s", n, tls_why(to));
    buf_fini(&flight);
    return err;
}

/* True when both have agreed. */
static bool shake(struct tls_context *of_server, struct tls_context *of_client, const char *host)
{
    struct tls_peer peer = {span_str(host), 443, sessions, false};

    close_both();
    server = tls_new(of_server, NULL);
    client = tls_new(of_client, &peer);
    server_err = ERR_AGAIN;
    client_err = tls_handshake(client, &to_server);
    for (int i = 0; i < 8 && (buf_len(&to_server) || buf_len(&to_client)); i++) {
        server_err = step(server, &to_server, &to_client);
        client_err = client_err == ERR_AGAIN || !client_err ? step(client, &to_client, &to_server)
                                                            : client_err;
    }
    return !server_err && !client_err;
}

static const char *got(struct tls *tls, struct buf *in, struct buf *out)
{
    static char text[256];

    tls_feed(tls, buf_span(in));
    ssize_t n = tls_read(tls, text, sizeof(text) - 1, out);
    buf_clear(in);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? text : n == 0 ? "(end)" : n == ERR_AGAIN ? "(again)" : "(failed)";
}

/* ---- handshakes ---- */

Test(tls, bytes_go_both_ways_and_the_end_is_said)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);
    struct tls_context *theirs = trust("ca.pem", true, BIT(ALPN_HTTP1));

    cr_assert(shake(ours, theirs, "one.test"), "%s", tls_why(client));
    cr_expect_str_eq(tls_version(server), "TLSv1.3");
    cr_expect_eq(tls_write(client, SPAN("question"), &to_server), 0);
    cr_expect_str_eq(got(server, &to_server, &to_client), "question");
    cr_expect_eq(tls_write(server, SPAN("answer"), &to_client), 0);
    cr_expect_str_eq(got(client, &to_client, &to_server), "answer");
    cr_expect_str_eq(got(client, &to_client, &to_server), "(again)");
    tls_end(server, &to_client);
    tls_end(server, &to_client);
    cr_expect_str_eq(got(client, &to_client, &to_server), "(end)");
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
}

Test(tls, a_byte_that_was_changed_is_a_failure)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);
    struct tls_context *theirs = trust("ca.pem", true, BIT(ALPN_HTTP1));

    cr_assert(shake(ours, theirs, "one.test"));
    cr_expect_eq(tls_write(client, SPAN("question"), &to_server), 0);
    to_server.data[to_server.start + 9] ^= 1;
    cr_expect_str_eq(got(server, &to_server, &to_client), "(failed)");
    cr_expect_gt(buf_len(&to_client), 0); /* the alert */
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
}

Test(tls, what_is_no_tls_fails)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);

    server = tls_new(ours, NULL);
    tls_feed(server, SPAN("GET / HTTP/1.1\r\n\r\n"));
    cr_expect_eq(tls_handshake(server, &to_client), ERR_TLS);
    cr_expect(tls_met_http(server));
    tls_free(&server);
    server = tls_new(ours, NULL);
    tls_feed(server, SPAN("\x16\x03\x01\x00\x05garbage and more of it"));
    cr_expect_eq(tls_handshake(server, &to_client), ERR_TLS);
    cr_expect_not(tls_met_http(server));
    tls_context_unref(&ours);
}

Test(tls, rfc7301_3_2_protocols)
{
    static const struct {
        unsigned ours, theirs;
        enum alpn want;
    } cases[] = {
        {BIT(ALPN_HTTP1), BIT(ALPN_HTTP1), ALPN_HTTP1},
        {BIT(ALPN_HTTP1), BIT(ALPN_HTTP1) | BIT(ALPN_H2), ALPN_HTTP1},
        {BIT(ALPN_HTTP1) | BIT(ALPN_H2), BIT(ALPN_HTTP1), ALPN_HTTP1},
        {BIT(ALPN_HTTP1) | BIT(ALPN_H2), BIT(ALPN_HTTP1) | BIT(ALPN_H2), ALPN_H2},
        {BIT(ALPN_HTTP1) | BIT(ALPN_H2), 0, ALPN_NONE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_context *ours = serve("a", cases[i].ours, NULL);
        struct tls_context *theirs = trust("ca.pem", true, cases[i].theirs);
        cr_expect(shake(ours, theirs, "one.test"), "%zu", i);
        cr_expect_eq(tls_alpn(server), cases[i].want, "%zu", i);
        cr_expect_eq(tls_alpn(client), cases[i].want, "%zu", i);
        tls_context_unref(&ours);
        tls_context_unref(&theirs);
    }
}

Test(tls, rfc7301_3_2_nothing_in_common_is_refused)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);
    struct tls_context *theirs = trust("ca.pem", true, BIT(ALPN_H2));

    cr_expect_not(shake(ours, theirs, "one.test"));
    cr_expect_eq(server_err, ERR_TLS);
    cr_expect_eq(client_err, ERR_TLS);
    cr_expect_not_null(strstr(tls_why(client), "no application protocol"), "%s", tls_why(client));
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
}

/* ---- a client that does what ours never does ---- */

/* One flight of a client of the test's own. */
static void exchange(SSL *ssl, BIO *in, BIO *out)
{
    char flight[16384];
    int len = BIO_read(out, flight, sizeof(flight));

    buf_append(&to_server, span_of(flight, len > 0 ? (size_t)len : 0));
    server_err = step(server, &to_server, &to_client);
    BIO_write(in, buf_span(&to_client).at, (int)buf_len(&to_client));
    buf_clear(&to_client);
}

Test(tls, rfc8446_4_6_3_a_flood_of_key_updates_is_ended)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char flight[64];

    SSL_set_bio(ssl, in, out);
    server = tls_new(ours, NULL);
    for (int i = 0; i < 2; i++) {
        SSL_connect(ssl);
        exchange(ssl, in, out);
    }
    cr_assert_eq(server_err, 0);
    int updates = 0;
    const char *said = "(again)";
    while (updates < 100 && strcmp(said, "(again)") == 0) {
        updates++;
        SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        cr_assert_eq(SSL_do_handshake(ssl), 1);
        int len = BIO_read(out, flight, sizeof(flight));
        buf_append(&to_server, span_of(flight, (size_t)len));
        said = got(server, &to_server, &to_client);
    }
    cr_expect_str_eq(said, "(failed)");
    cr_expect_eq(updates, 33);
    cr_expect_str_eq(tls_why(server), "too many key updates");
    SSL_free(ssl);
    SSL_CTX_free(context);
    tls_context_unref(&ours);
}

/* ---- who is there ---- */

Test(tls, certificates_are_verified)
{
    static const struct {
        const char *what, *ca, *host;
        bool verify;
        int want;
    } cases[] = {
        {"right", "ca.pem", "one.test", true, 0},
        {"by its name", "ca.pem", "two.test", true, 0},
        {"by its address", "ca.pem", "127.0.0.1", true, 0},
        {"with a dot", "ca.pem", "one.test.", true, 0},
        {"an address of IPv6", "ca.pem", "::1", true, ERR_CERT_NAME},
        {"no name", "ca.pem", "", true, ERR_CERT_NAME},
        {"a dot alone", "ca.pem", ".", true, ERR_CERT_NAME},
        {"another name", "ca.pem", "three.test", true, ERR_CERT_NAME},
        {"another address", "ca.pem", "127.0.0.2", true, ERR_CERT_NAME},
        {"nobody's", "other.pem", "one.test", true, ERR_CERT_UNTRUSTED},
        {"not the system's", NULL, "one.test", true, ERR_CERT_UNTRUSTED},
        {"not asked", NULL, "three.test", false, 0},
    };
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_context *theirs = trust(cases[i].ca, cases[i].verify, BIT(ALPN_HTTP1));
        shake(ours, theirs, cases[i].host);
        cr_expect_eq(client_err, cases[i].want, "%s: %d %s", cases[i].what, client_err,
                     tls_why(client));
        tls_context_unref(&theirs);
    }
    tls_context_unref(&ours);
}

Test(tls, an_expired_certificate_says_so)
{
    struct tls_files files = {certs_path("old.pem"), certs_path("old.key")};
    struct tls_context *ours, *theirs = trust("ca.pem", true, BIT(ALPN_HTTP1));

    cr_assert_eq(tls_server_new(
                     &(struct tls_server_options){
                         .identity = "a", .files = &files, .count = 1, .alpn = BIT(ALPN_HTTP1)},
                     &report, &ours),
                 0);
    cr_expect_not(shake(ours, theirs, "one.test"));
    cr_expect_eq(client_err, ERR_CERT_EXPIRED);
    cr_expect_str_eq(tls_why(client), "certificate has expired");
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
}

/* ---- sessions ---- */

Test(tls, rfc8446_2_2_a_session_is_resumed_once_and_renewed)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);
    struct tls_context *theirs = trust("ca.pem", true, BIT(ALPN_HTTP1));

    for (int i = 0; i < 4; i++) {
        cr_assert(shake(ours, theirs, "one.test"), "%s", tls_why(client));
        cr_expect_eq(tls_is_resumed(server), i > 0);
        cr_expect_eq(tls_is_resumed(client), i > 0);
    }
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
}

Test(tls, sessions_outlive_a_reload_and_two_new_keys)
{
    struct tls_context *first = serve("a", BIT(ALPN_HTTP1), NULL);
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), first);
    struct tls_context *theirs = trust("ca.pem", true, BIT(ALPN_HTTP1));

    cr_assert(shake(first, theirs, "one.test"));
    cr_assert(shake(ours, theirs, "one.test"));
    cr_expect(tls_is_resumed(server));
    tls_tickets_rotate(ours->tickets);
    tls_tickets_rotate(ours->tickets);
    cr_assert(shake(ours, theirs, "one.test"));
    cr_expect(tls_is_resumed(server));
    for (int i = 0; i < 3; i++) {
        tls_tickets_rotate(ours->tickets);
    }
    cr_assert(shake(ours, theirs, "one.test"));
    cr_expect_not(tls_is_resumed(server));
    tls_context_unref(&first);
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
}

/* As in CVE-2025-23419: what was agreed on with one listener or name is worth nothing elsewhere. */
Test(tls, a_session_of_another_listener_or_name_is_not_resumed)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);
    struct tls_context *other = serve("b", BIT(ALPN_HTTP1), ours); /* even with the same keys */
    struct tls_context *theirs = trust("ca.pem", false, BIT(ALPN_HTTP1));
    struct tls_peer one = {SPAN("one.test"), 443, sessions, false};
    struct tls_peer two = {SPAN("two.test"), 443, sessions, false};

    cr_assert(shake(ours, theirs, "one.test"));
    cr_assert(shake(other, theirs, "one.test"));
    cr_expect_not(tls_is_resumed(server));
    cr_assert(shake(ours, theirs, "one.test"));
    cr_expect_not(tls_is_resumed(server)); /* it had one of the other listener */

    cr_assert(shake(ours, theirs, "one.test"));
    cr_expect(tls_is_resumed(server));
    SSL_SESSION *session = tls_sessions_take(sessions, tls_sessions_key(sessions, theirs, &one));
    cr_assert_not_null(session);
    tls_sessions_put(sessions, tls_sessions_key(sessions, theirs, &two), session);
    cr_assert(shake(ours, theirs, "two.test"));
    cr_expect_not(tls_is_resumed(client));
    tls_context_unref(&ours);
    tls_context_unref(&other);
    tls_context_unref(&theirs);
}

Test(tls, sessions_are_bounded)
{
    struct tls_context *ours = serve("a", BIT(ALPN_HTTP1), NULL);
    struct tls_context *theirs = trust("ca.pem", false, BIT(ALPN_HTTP1));
    char name[32];

    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "host%d.test", i);
        cr_assert(shake(ours, theirs, name));
        cr_expect_not(tls_is_resumed(client));
    }
    tls_context_unref(&ours);
    tls_context_unref(&theirs);
}
