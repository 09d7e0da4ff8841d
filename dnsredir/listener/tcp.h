/*
 * tcp - the TCP side of one worker (RFC 7766): listeners, and connections with pipelined queries.
 * Belongs to the worker's thread.
 *
 * The client has the same time to send the next query, the rest of one that has begun, and to read
 * an answer; while it does not read, it is not read from. When there are too many connections, the
 * one that has been idle longest is closed.
 */
#ifndef LARDER_DNSREDIR_LISTENER_TCP_H
#define LARDER_DNSREDIR_LISTENER_TCP_H

#include "dnsredir/worker.h"

struct tcp;

/* Listens on every endpoint with sockets of its own. Returns 0, or a negative errno, and then
 * nothing is left open. `worker` and `settings` must outlive it. */
int tcp_open(struct worker *worker, const struct settings *settings, struct tcp **out);
/* Accepts no more connections; those that are open go on until they are idle. */
void tcp_drain(struct tcp *tcp);
/* Closes listeners and connections. Their memory is freed by the next turns of the loop. Accepts
 * NULL; sets *tcp to NULL. */
void tcp_close(struct tcp **tcp);

#endif
