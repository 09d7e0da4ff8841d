/* takeover_wire - what both halves of takeover say to each other, and how. Blocking; any thread. */
#ifndef LARDER_BASE_TAKEOVER_WIRE_H
#define LARDER_BASE_TAKEOVER_WIRE_H

#include "base/takeover.h"

enum {
    TAKEOVER_MAGIC = 0x4c445432, /* of this form of the gift; others are not understood */
    TAKEOVER_BATCH = 200,        /* sockets in one message; the kernel takes 253 */
    TAKEOVER_READY = 'R',
    TAKEOVER_RELEASED = 'S',
    TAKEOVER_SECONDS = 10,
};

/* The user at the other end is ours. */
bool takeover_is_same_user(int fd);
/* The gift and all sockets. 0, or a negative errno. */
int takeover_send(int fd, const struct takeover_gift *gift, const int *sockets);
/* Puts them into base/inherited.h. 0, or a negative code: what has come is closed. */
int takeover_receive(int fd, struct takeover_gift *gift);

#endif
