/*
 * tls - one TLS connection as an engine without I/O: ciphertext in, plaintext out, and the reverse.
 * The transport carries the bytes. Belongs to one loop.
 *
 * Calls append what is to be sent to `out`, also on errors: then it is the alert that says why.
 */
#ifndef LARDER_PROXY_STREAM_TLS_H
#define LARDER_PROXY_STREAM_TLS_H

#include "proxy/stream/tls_context.h"

#include <sys/types.h>

struct tls;
struct tls_sessions;

/* Most bytes that a record adds to its plaintext, and most plaintext in one record. */
#define TLS_RECORD_OVERHEAD 256
#define TLS_RECORD_MAX 16384

#define TLS_HOST_MAX 255

/* How handshakes fail: id, word. */
#define TLS_FAILURES(X)                                                                            \
    X(PROTOCOL, "protocol")       /* what came is no TLS, or none of ours */                       \
    X(CERTIFICATE, "certificate") /* of the peer: not trusted */                                   \
    X(TIMEOUT, "timeout")         /* it took too long */                                           \
    X(CLOSED, "closed")           /* the peer left, or the connection broke */

enum tls_failure {
#define X(id, word) TLS_FAILURE_##id,
    TLS_FAILURES(X)
#undef X
        TLS_FAILURE_COUNT
};

/* Classifies the error that `done` of transport_start_tls() receives. */
enum tls_failure tls_failure_of(int err);

/* The server that a client connects to. */
struct tls_peer {
    struct span host; /* must be in its certificate; at most TLS_HOST_MAX */
    uint16_t port;
    struct tls_sessions *sessions; /* where sessions with this context and peer are kept, or NULL */
    bool only_http1;               /* even if the context offers more by ALPN */
};

/* Takes a reference to `context`, and copies the peer. A peer is needed for the context of a
 * client; NULL for that of a server. */
struct tls *tls_new(struct tls_context *context, const struct tls_peer *peer);
void tls_free(struct tls **tls); /* accepts NULL; sets it to NULL */

/* Gives the next ciphertext. It must stay valid until all of it was taken, that is, until a call
 * below returns ERR_AGAIN. */
void tls_feed(struct tls *tls, struct span in);

/* Goes on with the handshake. 0: done. ERR_AGAIN: needs more input. ERR_TLS, ERR_CERT_UNTRUSTED,
 * ERR_CERT_EXPIRED, ERR_CERT_NAME: it failed; tls_why() has details. */
int tls_handshake(struct tls *tls, struct buf *out);
/* Reads at most `room` bytes of plaintext. Returns how many; 0: the peer has ended the connection
 * (close_notify); ERR_AGAIN: needs more input; ERR_TLS. */
ssize_t tls_read(struct tls *tls, char *to, size_t room, struct buf *out);
/* Encrypts all of `plain`, at least one byte, in as few records as possible. 0 or ERR_TLS. */
int tls_write(struct tls *tls, struct span plain, struct buf *out);
/* Ends the connection (close_notify): once, and only after the handshake. */
void tls_end(struct tls *tls, struct buf *out);

/* After the handshake. */
enum alpn tls_alpn(const struct tls *tls);
bool tls_is_resumed(const struct tls *tls);
bool tls_is_server(const struct tls *tls);
/* "TLSv1.3". Static storage. */
const char *tls_version(const struct tls *tls);
/* The last failure as text for people. Static storage. */
const char *tls_why(const struct tls *tls);
/* Did the peer refuse all protocols offered by ALPN (RFC 7301 3.2)? */
bool tls_alpn_refused(const struct tls *tls);
/* Has the peer answered with HTTP instead of TLS? */
bool tls_met_http(const struct tls *tls);

/* ---- sessions of a client, for the next handshake with the same peer ---- */

/* Keeps sessions for at most `count` peers; a new one may replace an old one. Belongs to one
 * loop. */
struct tls_sessions *tls_sessions_new(size_t count);
void tls_sessions_free(struct tls_sessions **sessions); /* accepts NULL; sets it to NULL */

#endif
