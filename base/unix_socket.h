/* unix_socket - listens on unix sockets. Thread-safe. */
#ifndef LARDER_BASE_UNIX_SOCKET_H
#define LARDER_BASE_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/un.h>

/* False: the path is too long. */
bool unix_address(const char *path, struct sockaddr_un *out);
/* Listens at the path, with an inherited socket (base/inherited.h), or a new one, which replaces
 * what a killed process has left. Non-blocking, close-on-exec. Returns a descriptor or a negative
 * errno: -EADDRINUSE: somebody listens there; -EEXIST: there is something that is no socket. */
int unix_listen(const char *path, int backlog);

#endif
