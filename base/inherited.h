/*
 * inherited - sockets that were opened by somebody else, and those we would hand on.
 *
 * They come from the service manager (sd_listen_fds(3): LISTEN_FDS of them from descriptor 3 on, if
 * LISTEN_PID is us), which keeps them open while a service restarts, so that nobody is refused. Or
 * they come from the process that we take over from (takeover.h); those are ours alone. A socket is
 * found by the address that it is bound to.
 */
#ifndef LARDER_BASE_INHERITED_H
#define LARDER_BASE_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define INHERITED_MAX 1024 /* more are closed, or not offered, and the log says so */

/* Takes note of them, and hides them from child processes. To be called once, before there are
 * threads. */
void inherited_begin(void);

/* Adds one from the process before us; close-on-exec. Takes it over, and closes it if there are too
 * many. Before there are threads. */
void inherited_add(int fd);

/* A new descriptor, close-on-exec, of a socket of this type (SOCK_STREAM: a listening one) bound to
 * exactly this address; -1: there is none. Of several, preferably one that was not asked for
 * before. Thread-safe after inherited_begin(). */
int inherited_socket(const struct sockaddr *address, int type);
/* Is there one? */
bool inherited_has(const struct sockaddr *address, int type);

/* Logs which of them nobody has asked for: clients that connect there get no answer. Closes those
 * of the process before us. */
void inherited_warn(void);

/* Offers this socket to the process that takes over from us; it must stay open until it is
 * withdrawn. These three are for one thread. */
void inherited_offer(int fd);
/* Withdraws all, because their numbers may be reused. */
void inherited_withdraw(void);
/* All sockets on offer. */
const int *inherited_offers(size_t *count);

#endif
