/*
 * listener - accepts clients on one address for one worker. Each worker has its own socket
 * (SO_REUSEPORT), and the kernel spreads connections among them; an inherited socket
 * (base/inherited.h) is shared by all. Belongs to the worker's loop.
 */
#ifndef LARDER_PROXY_CLIENT_LISTENER_H
#define LARDER_PROXY_CLIENT_LISTENER_H

#include "proxy/client/client.h"

struct listener;

/* Checks that no other process listens on the endpoint. Returns 0 or a negative errno. Asked once
 * before the workers listen: with SO_REUSEPORT the kernel would silently let two processes share
 * it. */
int listener_probe(const struct endpoint *endpoint);

/* Binds and listens. Returns 0 or a negative errno. */
int listener_open(struct worker *worker, const struct listening *listening, struct listener **out);
/* The worker has new settings: uses their certificates for clients from now on. */
void listener_renew(struct listener *listener);
/* Stops accepting. Accepts NULL; sets *listener to NULL. */
void listener_close(struct listener **listener);

/* Makes a listening socket on the endpoint (address or unix path), also for other servers. Returns
 * its descriptor or a negative errno. */
int listener_socket(const struct endpoint *endpoint, bool reuse_port);

#endif
