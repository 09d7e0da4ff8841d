/* tls_sessions - the inside of the table of sessions. Only for proxy/stream/tls*.c. */
#ifndef LARDER_PROXY_STREAM_TLS_SESSIONS_H
#define LARDER_PROXY_STREAM_TLS_SESSIONS_H

#include "base/siphash.h"
#include "proxy/stream/tls.h"

#include <openssl/ssl.h>

/* A keyed hash of a context and a peer, 128 bits: a session is reused only where its certificate
 * was verified for the same host and in the same way. */
struct tls_session_key {
    uint64_t at, check;
};

struct tls_session_key tls_sessions_key(const struct tls_sessions *sessions,
                                        const struct tls_context *context,
                                        const struct tls_peer *peer);
/* Takes over the session. */
void tls_sessions_put(struct tls_sessions *sessions, struct tls_session_key key,
                      SSL_SESSION *session);
/* Takes a session out, to be freed by the caller, as tickets are used once (RFC 8446 C.4). NULL:
 * there is none. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions, struct tls_session_key key);

#endif
