/*
 * inherited - sockets that others have opened for us. The service manager (sd_listen_fds(3)):
 * LISTEN_FDS of them from descriptor 3 on, if LISTEN_PID is us. They outlive us, so nobody is
 * refused while a service restarts. Or the process whose place we take (takeover.h): those are ours
 * alone. One is taken by what it listens on, not by its place.
 *
 * And what we would give to the next one ourselves.
 */
#ifndef LARDER_BASE_INHERITED_H
#define LARDER_BASE_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define INHERITED_MAX 1024 /* more are closed, or not offered, and the log says so */

/* Takes note of them, so that no child of ours has them too. Once, before there are threads. */
void inherited_begin(void);

/* One more, from the process before us; close-on-exec. Owned from here on, also when it is closed
 * for there being too many. Before there are threads. */
void inherited_add(int fd);

/* A descriptor of its own, close-on-exec, of a socket of this type (SOCK_STREAM: one that listens)
 * that is bound to just this address; -1: there is none. Of several, one that nobody has asked for
 * yet, if there is one. After inherited_begin(), any thread. */
int inherited_socket(const struct sockaddr *address, int type);
/* Is there one? */
bool inherited_has(const struct sockaddr *address, int type);

/* Says in the log which of them nobody has asked for, at a start or never: somebody listens there
 * whom nobody answers. Those of the process before us are closed. */
void inherited_warn(void);

/* Who takes our place gets this one, too; not owned, and open until it is withdrawn. These three by
 * one thread. */
void inherited_offer(int fd);
/* None of them: their numbers may be those of others soon. */
void inherited_withdraw(void);
/* All of these. */
const int *inherited_offers(size_t *count);

#endif
