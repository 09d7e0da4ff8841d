/*
 * users - who there is: names with the hashes of their passwords, and the groups they are in. Made
 * at load, never changed, read by any thread. Counted.
 */
#ifndef LARDER_PROXY_ACCESS_USERS_H
#define LARDER_PROXY_ACCESS_USERS_H

#include "proxy/access/file.h"

struct users;

struct user {
    struct span name;
    struct span hash;
    struct span groups; /* names, a blank behind each */
};

/* The texts of both files; `groups` may be empty. What is wrong is told in `errors`, by line; what
 * is only odd in `warnings`. 0 or ERR_CONFIG. Pure. */
int users_read(const char *file, struct span passwords, const char *groups_file, struct span groups,
               struct buf *errors, struct buf *warnings, struct users **out);
struct users *users_ref(struct users *users);
void users_unref(struct users **users); /* accepts NULL; sets *users to NULL */

size_t users_count(const struct users *users);
/* NULL: nobody has this name. */
const struct user *users_find(const struct users *users, struct span name);
/* A hash to compare the password of an unknown name with, so that it takes as long as that of a
 * known one: always the same for one name. Empty: there are no users at all. */
struct span users_decoy(const struct users *users, struct span name);

bool user_is_in(const struct user *user, struct span group);

#endif
