/*
 * exchange - the client half: one request and its response. Belongs to one loop; lives from the
 * first byte of a request's head to the end of its response.
 */
#ifndef LARDER_PROXY_CLIENT_EXCHANGE_H
#define LARDER_PROXY_CLIENT_EXCHANGE_H

#include "proxy/client/client.h"

/* A request begins on this stream. The exchange binds it and owns itself. */
void exchange_begin(struct client *client, struct stream *stream);

/* Gives up every exchange under way: their connections are closed. */
void exchange_abort_all(struct worker *worker);

/* Counts the bytes of responses under way, which would else be counted at their ends. */
void exchanges_count(struct worker *worker);

/* While it drains: every client is in an HTTP/1 tunnel, so no other request can begin. */
bool exchanges_are_tunnels(const struct worker *worker);

/* Frees the exchanges kept for reuse. */
void exchange_pool_clear(struct worker *worker);

#endif
