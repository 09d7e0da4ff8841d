/*
 * users - the users, with their password hashes and groups. Immutable, counted, thread-safe.
 */
#ifndef LARDER_PROXY_ACCESS_USERS_H
#define LARDER_PROXY_ACCESS_USERS_H

#include "proxy/access/file.h"

struct users;

struct user {
    struct span name;
    struct span hash;
    struct span groups; /* names, each followed by a space */
};

/* Parses the texts of both files; `groups` may be empty. Faults go to `errors`, with their line;
 * what is only odd goes to `warnings`. Returns 0 or ERR_CONFIG. Pure. */
int users_read(const char *file, struct span passwords, const char *groups_file, struct span groups,
               struct buf *errors, struct buf *warnings, struct users **out);
struct users *users_ref(struct users *users);
void users_unref(struct users **users); /* accepts NULL; sets *users to NULL */

size_t users_count(const struct users *users);
/* NULL: there is no such user. */
const struct user *users_find(const struct users *users, struct span name);
/* A hash to compare an unknown user's password with, so that it takes as long as for a known user.
 * Always the same for one name. Empty: there are no users. */
struct span users_decoy(const struct users *users, struct span name);

bool user_is_in(const struct user *user, struct span group);

#endif
