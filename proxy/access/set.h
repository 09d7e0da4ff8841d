/*
 * set - what settings say of access, with the files that they name: lists of hosts, and users. Made
 * after settings are loaded, kept with them, read by any thread. A reload reads only files that
 * have changed.
 */
#ifndef LARDER_PROXY_ACCESS_SET_H
#define LARDER_PROXY_ACCESS_SET_H

#include "proxy/access/pages.h"
#include "proxy/access/users.h"
#include "proxy/directives.h"

/* Fills the rules' lists. `before` is what is in force, or NULL. What is wrong in the files is told
 * in `errors`, a line each: ERR_CONFIG, and nothing is made. Waits for the disk. */
int access_set_make(struct settings *settings, const struct settings *before, struct buf *errors,
                    struct buf *warnings);

/* NULL: there are none. Borrowed. */
const struct users *access_set_users(const struct settings *settings);

/* Templates of pages; NULL: there are none. Borrowed. */
const struct pages *access_set_pages(const struct settings *settings);

/* For /status. */
struct access_set_stats {
    size_t files, names, bytes; /* lists of hosts from files */
    size_t users;
};
void access_set_stats(const struct settings *settings, struct access_set_stats *out);

#endif
