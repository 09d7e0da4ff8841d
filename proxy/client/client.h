/*
 * client - one connection from a client. Belongs to its worker's loop.
 */
#ifndef LARDER_PROXY_CLIENT_CLIENT_H
#define LARDER_PROXY_CLIENT_CLIENT_H

#include "proxy/stream/h1.h"
#include "proxy/stream/h2.h"
#include "proxy/worker.h"

/* What connections accepted under the same settings share; counted, the worker holds the newest.
 * Copies: a connection may live for days, and settings go with their last request. */
struct client_terms {
    size_t refs;
    uint64_t number; /* of the settings */
    struct h1_settings h1;
    struct h2_settings h2;
};

struct client {
    struct list link; /* of the worker's clients */
    struct worker *worker;
    struct client_terms *terms; /* those of the time it connected */
    struct h1 *h1;              /* one of them speaks; the other is NULL */
    struct h2 *h2;
    struct transport *securing; /* or neither: TLS is being agreed on */
    struct ip ip;
    uint64_t since; /* loop milliseconds: it was accepted */
    uint16_t port;
    bool https;
    bool speaks_h2;
    bool allowed; /* by the access rules, when it connected */
};

/* An accepted connection is a client from now on, and the transport its own. tls: NULL: plain. */
void client_start(struct worker *worker, struct transport *transport, struct tls_context *tls);

/* Closes one that has had no request under way for a second; else one whose request's body has come
 * next to not at all for some seconds. False: none was found. */
bool clients_evict_waiting(struct worker *worker);
/* Asks every client to finish what is under way; idle connections close at once, but those that are
 * younger than a second. Kindly: who has not asked yet has one answer, as another process has our
 * place and nobody waits for us. */
void clients_drain(struct worker *worker, bool kindly);
/* Closes every client now. */
void clients_close(struct worker *worker);

#endif
