/*
 * client - one connection from a client. Belongs to its worker's loop.
 */
#ifndef LARDER_PROXY_CLIENT_CLIENT_H
#define LARDER_PROXY_CLIENT_CLIENT_H

#include "proxy/stream/h1.h"
#include "proxy/stream/h2.h"
#include "proxy/worker.h"

/* What all connections accepted under the same settings share. Counted; the worker holds the
 * latest. These are copies, because a connection may live for days, and settings should be freed
 * with their last request. */
struct client_terms {
    size_t refs;
    uint64_t number; /* number of those settings */
    struct h1_settings h1;
    struct h2_settings h2;
};

struct client {
    struct list link; /* in worker->clients */
    struct worker *worker;
    struct client_terms *terms; /* those of the time it connected */
    struct h1 *h1;              /* the protocol in use: one is set, the other NULL */
    struct h2 *h2;
    struct transport *securing; /* during the TLS handshake, when h1 and h2 are both NULL */
    struct ip ip;
    uint64_t since; /* when it was accepted, in loop milliseconds */
    uint16_t port;
    bool https;
    bool speaks_h2;
    bool allowed; /* access rules allowed the address when it connected */
};

/* Makes a client of an accepted connection and takes the transport over. `tls` NULL: no TLS. */
void client_start(struct worker *worker, struct transport *transport, struct tls_context *tls);

/* Makes room: closes a connection that has been idle for a second, or else one whose request body
 * has hardly moved for some seconds. False: there is no such connection. */
bool clients_evict_waiting(struct worker *worker);
/* Lets every client finish its requests in progress. Idle connections are closed at once, unless
 * they are younger than a second. `kindly`: a client that has sent no request so far still gets one
 * answer; for takeovers, where nobody waits for this process to end. */
void clients_drain(struct worker *worker, bool kindly);
/* Closes every client now. */
void clients_close(struct worker *worker);

#endif
