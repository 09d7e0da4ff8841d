/*
 * inherited - sockets that whoever started us has opened for us (sd_listen_fds(3)): LISTEN_FDS of
 * them from descriptor 3 on, if LISTEN_PID is us. They outlive us, so nobody is refused while a
 * service restarts. One is taken by what it listens on, not by its place.
 */
#ifndef LARDER_BASE_INHERITED_H
#define LARDER_BASE_INHERITED_H

#include <sys/socket.h>

#define INHERITED_MAX 64 /* more are closed unseen */

/* Takes note of them, so that no child of ours has them too. Once, before there are threads. */
void inherited_begin(void);

/* A descriptor of its own, close-on-exec, of the socket of this type (SOCK_STREAM: one that
 * listens) that is bound to just this address; -1: there is none. After inherited_begin(), any
 * thread. */
int inherited_socket(const struct sockaddr *address, int type);

/* Says in the log which of them nobody has asked for, at a start or never: somebody listens there
 * whom nobody answers. */
void inherited_warn(void);

#endif
