/*
 * passwords - compares a password with a hash: bcrypt, yescrypt, scrypt and SHA-crypt with
 * libcrypt, apr1 (Apache's MD5) here. Slow on purpose, so never to be called on a loop.
 */
#ifndef LARDER_PROXY_ACCESS_PASSWORDS_H
#define LARDER_PROXY_ACCESS_PASSWORDS_H

#include "base/span.h"

enum {
    PASSWORD_MAX = 255, /* bytes; longer passwords are always wrong */
    PASSWORD_HASH_MAX = 255,
};

/* NULL if this kind of hash is supported; else what is wrong with it, such as "it is a bare SHA-1",
 * and what is expected. Pure. */
const char *password_fault(struct span hash);

/* Working memory for one thread. */
struct password_room;
struct password_room *password_room_new(void);
void password_room_free(struct password_room **room); /* wipes it; accepts NULL */

/* Does the password match the hash? The comparison takes constant time. Neither may contain NUL. */
bool password_check(struct password_room *room, struct span password, struct span hash);

#endif
