/* unix_socket - a listening unix socket. Any thread. */
#ifndef LARDER_BASE_UNIX_SOCKET_H
#define LARDER_BASE_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/un.h>

/* False when the path is too long for one. */
bool unix_address(const char *path, struct sockaddr_un *out);
/* One that listens at the path: inherited (base/inherited.h), or made there, in place of what a
 * process that was killed left behind. Non-blocking, close-on-exec. A descriptor or a negative
 * errno: -EADDRINUSE when somebody listens there, -EEXIST when there is no socket but something. */
int unix_listen(const char *path, int backlog);

#endif
