/*
 * passwords - is this the password that the hash was made of? bcrypt, yescrypt, scrypt and
 * SHA-crypt by libcrypt, apr1 (Apache's MD5) here. Slow on purpose: never on a loop.
 */
#ifndef LARDER_PROXY_ACCESS_PASSWORDS_H
#define LARDER_PROXY_ACCESS_PASSWORDS_H

#include "base/span.h"

enum {
    PASSWORD_MAX = 255, /* bytes; longer ones are nobody's */
    PASSWORD_HASH_MAX = 255,
};

/* NULL when passwords can be compared with such a hash; else a clause such as "it is a bare SHA-1",
 * with what is expected. Pure. */
const char *password_fault(struct span hash);

/* Working memory of one thread. */
struct password_room;
struct password_room *password_room_new(void);
void password_room_free(struct password_room **room); /* wiped; accepts NULL */

/* In constant time, as far as it depends on the hash that should come out. Neither has a NUL. */
bool password_check(struct password_room *room, struct span password, struct span hash);

#endif
