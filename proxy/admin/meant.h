/*
 * meant - all the places that a URL may mean when an administrator asks about it. A resource of a
 * mirror has two URLs, one for clients and one at the mirror's origin, which is in the log:
 *
 *   http://larder:3128/npm/left-pad      on one of our ports, or below the mirror's `url`
 *   https://registry.npmjs.org/left-pad  at an origin: as a forward proxy has it, and as each
 *                                        mirror of that origin has it
 *
 * With meant_begin_prefix() the URL is a prefix: it means everything below it, and so all of a
 * mirror whose path, or origin, begins with it. Pure; belongs to the caller.
 */
#ifndef LARDER_PROXY_ADMIN_MEANT_H
#define LARDER_PROXY_ADMIN_MEANT_H

#include "proxy/client/route.h"

struct meant {
    const struct route_query *query;
    struct span mirror; /* only in the mirror with this path; empty: anywhere */
    struct uri uri;     /* the target, when it is absolute */
    bool is_absolute;
    bool is_prefix; /* everything below it is meant */
    size_t next;
};

/* Error text, with `mirror`: it does not exist, or has nothing from that origin. */
#define MEANT_NOTHING "no mirror with this path has that URL at its origin"

/* Begins to enumerate the places. The query is borrowed. */
void meant_begin(struct meant *meant, const struct route_query *query, struct span mirror);
/* The same for everything below the query's URL; the routes lead to prefixes then. */
void meant_begin_prefix(struct meant *meant, const struct route_query *query, struct span mirror);
/* Gives the next place as a route. False: there are no more. There is at least one, unless `mirror`
 * is set. */
bool meant_next(struct meant *meant, struct route *out);

#endif
