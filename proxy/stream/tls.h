/*
 * tls - one TLS connection as an engine without I/O: ciphertext in, plaintext out, and the reverse.
 * Belongs to one loop; what carries the bytes is transport's business.
 *
 * Calls append what is to be sent to `out`, also when they fail: then it is the alert that says
 * why.
 */
#ifndef LARDER_PROXY_STREAM_TLS_H
#define LARDER_PROXY_STREAM_TLS_H

#include "proxy/stream/tls_context.h"

#include <sys/types.h>

struct tls;
struct tls_sessions;

/* The most that one record adds to its plaintext, and the most plaintext of one. */
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

/* Of what `done` of transport_start_tls() says. */
enum tls_failure tls_failure_of(int err);

/* Who is to answer a client. */
struct tls_peer {
    struct span host; /* a name or an address: what the certificate must be for; at most
                         TLS_HOST_MAX bytes */
    uint16_t port;
    struct tls_sessions *sessions; /* where a session with this context and peer is kept, or NULL */
    bool only_http1;               /* whatever else the context offers by ALPN */
};

/* `context` is referenced, the peer copied; a peer for a client's context, NULL for a server's. */
struct tls *tls_new(struct tls_context *context, const struct tls_peer *peer);
void tls_free(struct tls **tls); /* accepts NULL; sets it to NULL */

/* The next ciphertext. It must stay valid until it has all been taken: a call below has said
 * ERR_AGAIN. */
void tls_feed(struct tls *tls, struct span in);

/* 0: done. ERR_AGAIN: more must come. ERR_TLS, ERR_CERT_UNTRUSTED, ERR_CERT_EXPIRED,
 * ERR_CERT_NAME: it failed, tls_why() says how. */
int tls_handshake(struct tls *tls, struct buf *out);
/* Up to `room` bytes of plaintext: how many; 0 when the peer has said that this is the end;
 * ERR_AGAIN: more must come; ERR_TLS. */
ssize_t tls_read(struct tls *tls, char *to, size_t room, struct buf *out);
/* All of `plain`, at least 1 byte, in as few records as it takes. 0 or ERR_TLS. */
int tls_write(struct tls *tls, struct span plain, struct buf *out);
/* Says that this was the end: once, and only after a handshake. */
void tls_end(struct tls *tls, struct buf *out);

/* After the handshake. */
enum alpn tls_alpn(const struct tls *tls);
bool tls_is_resumed(const struct tls *tls);
bool tls_is_server(const struct tls *tls);
/* "TLSv1.3". Static storage. */
const char *tls_version(const struct tls *tls);
/* What the last failure was, for people. Static storage. */
const char *tls_why(const struct tls *tls);
/* The peer speaks TLS, but no protocol that was offered by ALPN (RFC 7301 3.2): it has said so. */
bool tls_alpn_refused(const struct tls *tls);
/* The peer does not speak TLS, but HTTP. */
bool tls_met_http(const struct tls *tls);

/* ---- sessions of a client, for the next handshake with the same peer ---- */

/* For at most `count` peers; a later one may push out an earlier one. Belongs to one loop. */
struct tls_sessions *tls_sessions_new(size_t count);
void tls_sessions_free(struct tls_sessions **sessions); /* accepts NULL; sets it to NULL */

#endif
