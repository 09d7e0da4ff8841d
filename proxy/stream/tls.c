/*
 * OpenSSL reads from the span that was fed and writes behind what is in `out`, through a BIO of our
 * own: nothing is kept in between but what belongs to a record that is not complete.
 */
#include "proxy/stream/tls.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/prefix.h"
#include "proxy/stream/tls_context_parts.h"
#include "proxy/stream/tls_memory.h"
#include "proxy/stream/tls_sessions.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

/* A KeyUpdate (RFC 8446 4.6.3) costs the receiver much more than the sender. A peer may send
 * UPDATES_MAX of them, and one more for each UPDATE_BYTES of plaintext. */
enum { UPDATES_MAX = 32, UPDATE_BYTES = 65536 };

struct tls {
    SSL *ssl;
    struct tls_context *context;
    struct span in;  /* ciphertext that OpenSSL has not read so far */
    struct buf *out; /* where ciphertext is written, during a call */
    struct tls_sessions *sessions;
    struct tls_session_key key;
    const char *why; /* NULL: no failure so far */
    uint64_t taken;  /* bytes of plaintext from the peer */
    uint64_t updates;
    int64_t net;  /* tls_memory_net() before the call */
    int64_t held; /* bytes of OpenSSL's memory that belong to this connection */
    bool met_http;
    bool alpn_refused;
    bool is_ended;
};

/* ---- OpenSSL's view of the connection ---- */

static int bio_read(BIO *bio, char *to, size_t room, size_t *taken)
{
    struct tls *tls = BIO_get_data(bio);
    struct span part = span_take(tls->in, room);

    BIO_clear_retry_flags(bio);
    *taken = part.len;
    if (part.len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(to, part.at, part.len);
    tls->in = span_skip(tls->in, part.len);
    return 1;
}

static int bio_write(BIO *bio, const char *from, size_t len, size_t *taken)
{
    struct tls *tls = BIO_get_data(bio);

    buf_append(tls->out, span_of(from, len));
    *taken = len;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "spans");
    CHECK(method && BIO_meth_set_read_ex(method, bio_read) &&
          BIO_meth_set_write_ex(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl));
}

static BIO *bio_new(struct tls *tls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_method);
    BIO *bio = BIO_new(method);
    CHECK(bio);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

static void on_message(int is_sent, int version, int type, const void *at, size_t len, SSL *ssl,
                       void *arg)
{
    struct tls *tls = arg;

    if (!is_sent && type == SSL3_RT_HANDSHAKE && len && *(const char *)at == SSL3_MT_KEY_UPDATE) {
        tls->updates++;
    }
}

/* ---- memory ---- */

/* Counts the memory that OpenSSL has taken since `before` as this connection's. */
static void own(struct tls *tls, int64_t before)
{
    int64_t more = tls_memory_net() - before;

    tls->held += more;
    if (more > 0) {
        memory_take(MEMORY_CONNECTIONS, (size_t)more);
        memory_give(MEMORY_TLS, (size_t)more);
    } else if (more < 0) {
        memory_take(MEMORY_TLS, (size_t)-more);
        memory_give(MEMORY_CONNECTIONS, (size_t)-more);
    }
}

/* ---- life ---- */

/* Names are asked for and checked, addresses only checked (RFC 6066 3). An empty name would switch
 * the check off, so there is none. */
static void set_host(struct tls *tls, struct span host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    char text[TLS_HOST_MAX + 1];
    struct ip ip;

    CHECK(host.len <= TLS_HOST_MAX);
    if (ip_parse(host, &ip) == 0) {
        size_t skip = ip_is_v4(&ip) ? 12 : 0;
        CHECK(X509_VERIFY_PARAM_set1_ip(param, ip.at + skip, sizeof(ip.at) - skip) == 1);
        return;
    }
    if (host.len > 1 && host.at[host.len - 1] == '.') {
        host.len--;
    }
    if (host.len == 0) {
        host = SPAN(".");
    }
    memcpy(text, host.at, host.len);
    text[host.len] = '\0';
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK(X509_VERIFY_PARAM_set1_host(param, text, host.len) == 1);
    SSL_set_tlsext_host_name(tls->ssl, text);
}

static void set_peer(struct tls *tls, const struct tls_peer *peer)
{
    set_host(tls, peer->host);
    if (peer->only_http1) {
        struct span alpn = tls_alpn_list(BIT(ALPN_HTTP1));
        CHECK(SSL_set_alpn_protos(tls->ssl, (const unsigned char *)alpn.at, (unsigned)alpn.len) ==
              0);
    }
    if (!peer->sessions) {
        return;
    }
    tls->sessions = peer->sessions;
    tls->key = tls_sessions_key(peer->sessions, tls->context, peer);
    SSL_SESSION *session = tls_sessions_take(tls->sessions, tls->key);
    if (session) {
        SSL_set_session(tls->ssl, session);
        SSL_SESSION_free(session);
    }
}

struct tls *tls_new(struct tls_context *context, const struct tls_peer *peer)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));

    CHECK(context->is_server == !peer);
    int64_t before = tls_memory_net();
    memory_take(MEMORY_CONNECTIONS, sizeof(*tls));
    tls->context = tls_context_ref(context);
    tls->ssl = SSL_new(context->identities[0].ssl);
    CHECK(tls->ssl);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_msg_callback(tls->ssl, on_message);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    BIO *bio = bio_new(tls);
    SSL_set_bio(tls->ssl, bio, bio);
    if (peer) {
        SSL_set_connect_state(tls->ssl);
        set_peer(tls, peer);
    } else {
        SSL_set_accept_state(tls->ssl);
    }
    own(tls, before);
    return tls;
}

void tls_free(struct tls **slot)
{
    struct tls *tls = *slot;

    *slot = NULL;
    if (tls) {
        int64_t before = tls_memory_net();
        /* Else the session would not be resumable, as of SSL 3. A failure has forgotten it. */
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(tls->ssl);
        own(tls, before);
        own(tls, tls_memory_net() + tls->held); /* memory of OpenSSL that outlives the connection is
                                                   not counted as its own */
        tls_context_unref(&tls->context);
        memory_give(MEMORY_CONNECTIONS, sizeof(*tls));
        free(tls);
    }
}

int tls_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *tls = SSL_get_app_data(ssl);

    if (!tls->sessions || !SSL_SESSION_is_resumable(session)) {
        return 0;
    }
    tls_sessions_put(tls->sessions, tls->key, session);
    return 1; /* the reference was taken over */
}

/* ---- failures ---- */

static int untrusted(struct tls *tls)
{
    long result = SSL_get_verify_result(tls->ssl);

    ERR_clear_error();
    tls->why = X509_verify_cert_error_string(result);
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return ERR_CERT_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return ERR_CERT_NAME;
    default:
        return ERR_CERT_UNTRUSTED;
    }
}

static int failed(struct tls *tls)
{
    unsigned long code = ERR_peek_last_error();
    bool is_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
    int reason = ERR_GET_REASON(code);

    tls->is_ended = true; /* only the alert may still be sent */
    tls->in = SPAN_EMPTY;
    if (is_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return untrusted(tls);
    }
    tls->met_http = is_ssl && (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST);
    tls->alpn_refused = is_ssl && reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL;
    tls->why = tls_last_error();
    return ERR_TLS;
}

enum tls_failure tls_failure_of(int err)
{
    switch (err) {
    case ERR_TLS:
        return TLS_FAILURE_PROTOCOL;
    case ERR_CERT_UNTRUSTED:
    case ERR_CERT_EXPIRED:
    case ERR_CERT_NAME:
        return TLS_FAILURE_CERTIFICATE;
    case ERR_TIMEOUT:
        return TLS_FAILURE_TIMEOUT;
    default:
        return TLS_FAILURE_CLOSED;
    }
}

/* ---- bytes ---- */

void tls_feed(struct tls *tls, struct span in)
{
    CHECK(tls->in.len == 0);
    tls->in = in;
}

static void begin(struct tls *tls, struct buf *out)
{
    ERR_clear_error();
    tls->out = out;
    tls->net = tls_memory_net();
}

int tls_handshake(struct tls *tls, struct buf *out)
{
    begin(tls, out);
    int result = SSL_do_handshake(tls->ssl);
    own(tls, tls->net);
    if (result == 1) {
        return 0;
    }
    return SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ ? ERR_AGAIN : failed(tls);
}

ssize_t tls_read(struct tls *tls, char *to, size_t room, struct buf *out)
{
    size_t n;

    begin(tls, out);
    int result = SSL_read_ex(tls->ssl, to, room, &n);
    own(tls, tls->net);
    if (tls->updates > UPDATES_MAX + tls->taken / UPDATE_BYTES) {
        int err = failed(tls);
        tls->why = "too many key updates";
        return err;
    }
    if (result == 1) {
        tls->taken += n;
        return (ssize_t)n;
    }
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        tls->in = SPAN_EMPTY; /* what comes behind the end is ignored */
        return 0;
    default:
        return failed(tls);
    }
}

int tls_write(struct tls *tls, struct span plain, struct buf *out)
{
    size_t n;

    CHECK(plain.len > 0);
    begin(tls, out);
    int result = SSL_write_ex(tls->ssl, plain.at, plain.len, &n);
    own(tls, tls->net);
    if (result != 1) {
        return failed(tls);
    }
    CHECK(n == plain.len);
    return 0;
}

void tls_end(struct tls *tls, struct buf *out)
{
    if (!tls->is_ended) {
        tls->is_ended = true;
        begin(tls, out);
        SSL_shutdown(tls->ssl);
        own(tls, tls->net);
        ERR_clear_error();
    }
}

/* ---- facts ---- */

enum alpn tls_alpn(const struct tls *tls)
{
    const unsigned char *at;
    unsigned len;

    SSL_get0_alpn_selected(tls->ssl, &at, &len);
    struct span chosen = span_of(at, len);
    if (span_eq(chosen, SPAN("h2"))) {
        return ALPN_H2;
    }
    return span_eq(chosen, SPAN("http/1.1")) ? ALPN_HTTP1 : ALPN_NONE;
}

bool tls_is_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl);
}

bool tls_is_server(const struct tls *tls)
{
    return tls->context->is_server;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}

const char *tls_why(const struct tls *tls)
{
    return tls->why ? tls->why : "no failure";
}

bool tls_alpn_refused(const struct tls *tls)
{
    return tls->alpn_refused;
}

bool tls_met_http(const struct tls *tls)
{
    return tls->met_http;
}
