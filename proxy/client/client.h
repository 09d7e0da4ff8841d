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

/* What is said on it now. */
enum client_speech {
    CLIENT_SECURING, /* TLS is being agreed on */
    CLIENT_H1,
    CLIENT_H2,
};

struct client {
    struct list link; /* in worker->clients */
    struct worker *worker;
    struct client_terms *terms; /* those of the time it connected */
    union {
        struct transport *securing;
        struct h1 *h1;
        struct h2 *h2;
    } speaker; /* by `speech`; NULL while it is made */
    struct ip ip;
    uint64_t since; /* when it was accepted, or was seen to wait for its handshake's turn, in loop
                       milliseconds */
    enum client_speech speech;
    uint16_t port;
    bool https;
    bool allowed; /* access rules allowed the address when it connected */
};

/* NULL: it does not use HTTP/1. */
static inline struct h1 *client_h1(const struct client *client)
{
    return client->speech == CLIENT_H1 ? client->speaker.h1 : NULL;
}

/* The same for HTTP/2. */
static inline struct h2 *client_h2(const struct client *client)
{
    return client->speech == CLIENT_H2 ? client->speaker.h2 : NULL;
}

/* Makes a client of an accepted connection and takes the transport over. `tls` NULL: no TLS. */
void client_start(struct worker *worker, struct transport *transport, struct tls_context *tls);

/* Closes the connection now, and frees the client. */
void client_end(struct client *client);

/* ---- all clients of a worker ---- */

/* Makes room: closes a connection that has been idle for a second, or else one whose request body
 * or response has hardly moved for some seconds, or else one that has been idle for a quarter of a
 * second. False: there is no such connection. */
bool clients_evict_waiting(struct worker *worker);
/* The same where memory is what is scarce: closes several like those, or that take nothing of what
 * waits for them, and gives up what origins do not answer. */
bool clients_yield_memory(struct worker *worker);
/* Where memory is scarce, does that soon, outside the caller's handler: to be called where
 * something begins that needs memory. */
void clients_seek_memory(struct worker *worker);
/* Lets every client finish its requests in progress. Idle connections are closed at once, unless
 * they are younger than a second. `kindly`: a client that has sent no request so far still gets one
 * answer; for takeovers, where nobody waits for this process to end. */
void clients_drain(struct worker *worker, bool kindly);
/* Closes every client now. */
void clients_close(struct worker *worker);

#endif
