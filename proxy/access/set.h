/*
 * set - what the settings say about access, with the files they name: host lists, users and page
 * templates. Made after the settings are loaded, kept with them. Thread-safe to read. A reload
 * reads only files that have changed.
 */
#ifndef LARDER_PROXY_ACCESS_SET_H
#define LARDER_PROXY_ACCESS_SET_H

#include "proxy/access/pages.h"
#include "proxy/access/users.h"
#include "proxy/config/directives.h"

/* Reads the files and sets the lists of the rules. `before`: the settings in force, or NULL.
 * Returns 0, or ERR_CONFIG with a line in `errors` for each fault; then nothing is set. Waits for
 * the disk. */
int access_set_make(struct settings *settings, const struct settings *before, struct buf *errors,
                    struct buf *warnings);

/* Borrowed; NULL: no users are configured. */
const struct users *access_set_users(const struct settings *settings);

/* The templates of error pages. Borrowed; NULL: those built in. */
const struct pages *access_set_pages(const struct settings *settings);

/* For /status. */
struct access_set_stats {
    size_t files, names, bytes; /* of host lists from files */
    size_t users;
};
void access_set_stats(const struct settings *settings, struct access_set_stats *out);

#endif
