/*
 * udp - one socket of one worker: queries read and answers sent in batches, on uv_poll.
 */
#ifndef LARDER_DNSREDIR_LISTENER_UDP_H
#define LARDER_DNSREDIR_LISTENER_UDP_H

#include "dnsredir/worker.h"

struct udp;

/* Binds its own socket to `endpoint` with SO_REUSEPORT and starts reading. 0 or a negative errno.
 * `worker` must outlive it. */
int udp_open(struct worker *worker, const struct endpoint *endpoint, struct udp **out);
/* Reads no more: another process does. Who waits for an answer (of the resolver, or that an update
 * is written) gets it still. On the worker's thread. */
void udp_drain(struct udp *udp);
/* Stops, with the inbox and the intake: who waits for an answer has none. The memory goes with the
 * loop's next turn. Accepts NULL; sets *udp to NULL. */
void udp_close(struct udp **udp);

#endif
