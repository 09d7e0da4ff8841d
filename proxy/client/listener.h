/*
 * listener - accepts clients on one address for one worker; each worker has a socket of its own
 * (SO_REUSEPORT), so the kernel spreads connections; one that we inherited (base/inherited.h) they
 * share. Belongs to the worker's loop.
 */
#ifndef LARDER_PROXY_CLIENT_LISTENER_H
#define LARDER_PROXY_CLIENT_LISTENER_H

#include "proxy/client/client.h"

struct listener;

/* Is the endpoint free? 0, or a negative errno. Each worker's socket shares the address, and the
 * kernel would let another process share it too: it then takes some of the clients without a word.
 * So this is asked once, before the first worker listens. */
int listener_probe(const struct endpoint *endpoint);

/* Binds and listens. 0 or a negative errno. */
int listener_open(struct worker *worker, const struct listening *listening, struct listener **out);
/* The worker has new settings: what listens for TLS has their certificates from the next client on.
 */
void listener_renew(struct listener *listener);
/* Stops accepting. Accepts NULL; sets it to NULL. */
void listener_close(struct listener **listener);

/* A listening socket on the endpoint (address or unix path), for other servers too: its descriptor
 * or a negative errno. */
int listener_socket(const struct endpoint *endpoint, bool reuse_port);

#endif
