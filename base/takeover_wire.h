/* takeover_wire - what both halves of takeover say to each other, and how. Blocking; any thread. */
#ifndef LARDER_BASE_TAKEOVER_WIRE_H
#define LARDER_BASE_TAKEOVER_WIRE_H

#include "base/takeover.h"

enum {
    TAKEOVER_MAGIC = 0x4c445433, /* of this form of what is said; others are not understood */
    TAKEOVER_BATCH = 200,        /* sockets in one message; the kernel takes 253 */
    TAKEOVER_STREAMS = 2,
    TAKEOVER_READY = 'R',
    TAKEOVER_RELEASED = 'S',
    TAKEOVER_SECONDS = 10,
};

/* The user at the other end is ours. */
bool takeover_is_same_user(int fd);
/* The process there; 0: not known. */
pid_t takeover_peer(int fd);
/* Who asks says first who it is: whoever only looks whether somebody listens gets nothing. 0, or a
 * negative errno. */
int takeover_send_hello(int fd, const char *program);
/* Does not wait. 1: it is the same program, and understands us. 0: nothing has come yet.
 * ERR_CLOSED: it only looked; else a negative code. */
int takeover_receive_hello(int fd, const char *program);
/* The gift and all sockets; before those, standard output and standard error, if they are open. 0,
 * or a negative errno. */
int takeover_send(int fd, struct takeover_gift *gift, const int *sockets);
/* Puts them into base/inherited.h, but those two into `streams`, which keeps its numbers without.
 * 0, or a negative code: what has come is closed when the process ends. */
int takeover_receive(int fd, struct takeover_gift *gift, int *streams);

#endif
