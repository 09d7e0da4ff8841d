/*
 * meant - what is meant by a URL that somebody asks about. A mirror has one for clients and one at
 * its origin, which is that of the log:
 *
 *   http://larder:3128/npm/left-pad      at a port of ours, or below its `url`: what the mirror has
 *   https://registry.npmjs.org/left-pad  at an origin: what is asked for as of a proxy, and then
 *                                        what each mirror has from there
 *
 * A prefix (meant_begin_prefix()) means each of these places as far as it lies in it: of a mirror
 * whose path, or whose origin, begins with the prefix, everything.
 *
 * Pure; belongs to who asks.
 */
#ifndef LARDER_PROXY_MEANT_H
#define LARDER_PROXY_MEANT_H

#include "proxy/client/route.h"

struct meant {
    const struct route_query *query;
    struct span mirror; /* only of the one with this path; empty: whatever may be meant */
    struct uri uri;     /* of an absolute target */
    bool is_absolute;
    bool is_prefix; /* it means all that begins so */
    size_t next;
};

/* Of a `mirror`: there is none with that path, or it has nothing from there. */
#define MEANT_NOTHING "no mirror with this path has that URL at its origin"

/* The query is borrowed. */
void meant_begin(struct meant *meant, const struct route_query *query, struct span mirror);
/* The same of all that begins with its URL: routes are then to what the places begin with. */
void meant_begin_prefix(struct meant *meant, const struct route_query *query, struct span mirror);
/* Where a request for it would go; false: there is no further one. The first is there always, but
 * with `mirror`. */
bool meant_next(struct meant *meant, struct route *out);

#endif
