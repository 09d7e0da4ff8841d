/*
 * udp - one UDP socket of one worker: queries are read and answers sent in batches. Belongs to the
 * worker's thread.
 */
#ifndef LARDER_DNSREDIR_LISTENER_UDP_H
#define LARDER_DNSREDIR_LISTENER_UDP_H

#include "dnsredir/worker.h"

struct udp;

/* Binds a socket of its own to `endpoint` with SO_REUSEPORT, and starts reading. Returns 0 or a
 * negative errno. `worker` must outlive it. */
int udp_open(struct worker *worker, const struct endpoint *endpoint, struct udp **out);
/* Stops reading, because another process does. Clients that wait for the resolver, or for an update
 * to be written, still get their answer. */
void udp_drain(struct udp *udp);
/* Closes the socket; clients that still wait get no answer. To be called before the inbox and the
 * intake are closed. The memory is freed by the next turn of the loop. Accepts NULL; sets *udp to
 * NULL. */
void udp_close(struct udp **udp);

#endif
