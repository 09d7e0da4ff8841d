/*
 * exchange - one request of a client and its response. Belongs to one loop. Lives from the first
 * byte of the request's head to the end of the response.
 */
#ifndef LARDER_PROXY_CLIENT_EXCHANGE_H
#define LARDER_PROXY_CLIENT_EXCHANGE_H

#include "proxy/client/client.h"

/* Starts an exchange for a request that begins on this stream. It binds the stream and frees itself
 * at the end. */
void exchange_begin(struct client *client, struct stream *stream);

/* Does the lookups of the exchanges in worker->row: requests that came in one read of an HTTP/2
 * connection. */
void exchanges_look_up(struct worker *worker);

/* Aborts every exchange in progress and closes their connections. */
void exchange_abort_all(struct worker *worker);

/* Counts the bytes sent so far by responses in progress; the rest is counted when they end. */
void exchanges_count(struct worker *worker);

/* While draining: are all clients in HTTP/1 tunnels, so that no further request can begin? */
bool exchanges_are_tunnels(const struct worker *worker);

/* Frees the exchanges kept for reuse. */
void exchange_pool_clear(struct worker *worker);

#endif
