/*
 * url_routes - all routes that the URL which an administrator names may have. A resource of a
 * mirror has two URLs, one for clients and one at the mirror's origin, which is the one in the log:
 *
 *   http://larder:3128/npm/left-pad      on one of our ports, or below the mirror's `url`
 *   https://registry.npmjs.org/left-pad  at an origin: as a forward proxy has it, and as each
 *                                        mirror of that origin has it
 *
 * With url_routes_begin_prefix() the URL is a prefix: it stands for everything below it, and so for
 * all of a mirror whose path, or origin, begins with it. Pure; belongs to the caller.
 */
#ifndef LARDER_PROXY_ADMIN_URL_ROUTES_H
#define LARDER_PROXY_ADMIN_URL_ROUTES_H

#include "proxy/client/route.h"

struct url_routes {
    const struct route_query *query;
    struct span mirror; /* only in the mirror with this path; empty: anywhere */
    struct uri uri;     /* the target, when it is absolute */
    bool is_absolute;
    bool is_prefix; /* the URL stands for everything below it */
    size_t next;
};

/* What to tell an administrator if there is no route, which needs a `mirror`. */
#define URL_ROUTES_NONE "no mirror with this path has that URL at its origin"

/* Begins to enumerate the routes of the query's URL: inside the mirror with this path, or anywhere
 * if `mirror` is empty. The query is borrowed. */
void url_routes_begin(struct url_routes *routes, const struct route_query *query,
                      struct span mirror);
/* The same for everything below the query's URL: the routes lead to prefixes then. */
void url_routes_begin_prefix(struct url_routes *routes, const struct route_query *query,
                             struct span mirror);
/* Gives the next route. False: there are no more. There is at least one, unless `mirror` is set. */
bool url_routes_next(struct url_routes *routes, struct route *out);

#endif
