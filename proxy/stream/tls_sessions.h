/* tls_sessions - the inside of the table of sessions; for proxy/stream/tls*.c only. */
#ifndef LARDER_PROXY_STREAM_TLS_SESSIONS_H
#define LARDER_PROXY_STREAM_TLS_SESSIONS_H

#include "base/siphash.h"
#include "proxy/stream/tls.h"

#include <openssl/ssl.h>

/* 128 bits that nobody can foresee stand for a context and a peer: the certificate behind a session
 * was verified for this host, as this context verifies. */
struct tls_session_key {
    uint64_t at, check;
};

struct tls_session_key tls_sessions_key(const struct tls_sessions *sessions,
                                        const struct tls_context *context,
                                        const struct tls_peer *peer);
/* Takes the session over. */
void tls_sessions_put(struct tls_sessions *sessions, struct tls_session_key key,
                      SSL_SESSION *session);
/* The session, to be freed by the caller; a ticket is used once (RFC 8446 C.4). NULL: none. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions, struct tls_session_key key);

#endif
