/* takeover_wire - the protocol between both halves of takeover. Blocking; thread-safe. */
#ifndef LARDER_BASE_TAKEOVER_WIRE_H
#define LARDER_BASE_TAKEOVER_WIRE_H

#include "base/takeover.h"

enum {
    TAKEOVER_MAGIC = 0x4c445433, /* version of the protocol; others are refused */
    TAKEOVER_BATCH = 200,        /* sockets per message; the kernel allows 253 */
    TAKEOVER_STREAMS = 2,
    TAKEOVER_READY = 'R',
    TAKEOVER_RELEASED = 'S',
    TAKEOVER_SECONDS = 10,
};

/* Is the peer's user ours? */
bool takeover_is_same_user(int fd);
/* The peer's process; 0: unknown. */
pid_t takeover_peer(int fd);
/* The newer process says who it is, so that a mere connection gets nothing. Returns 0 or a negative
 * errno. */
int takeover_send_hello(int fd, const char *program);
/* Does not wait. Returns 1: it is the same program and protocol; 0: nothing was received so far;
 * ERR_CLOSED: the peer only connected; or another negative code. */
int takeover_receive_hello(int fd, const char *program);
/* Sends the gift and all sockets; before them standard output and standard error, if they are open.
 * Returns 0 or a negative errno. */
int takeover_send(int fd, struct takeover_gift *gift, const int *sockets);
/* Adds the sockets to base/inherited.h; sets `streams` to the other two, if they were sent. Returns
 * 0, or a negative code: then what was received stays open until the process ends. */
int takeover_receive(int fd, struct takeover_gift *gift, int *streams);

#endif
