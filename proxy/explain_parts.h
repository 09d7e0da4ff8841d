/* explain_parts - the inside of /explain, for the files it is made of: explain.c (what is found
 * out) and explain_json.c (how it is told). */
#ifndef LARDER_PROXY_EXPLAIN_PARTS_H
#define LARDER_PROXY_EXPLAIN_PARTS_H

#include "cache/explain.h"
#include "proxy/client/route.h"
#include "proxy/explain.h"
#include "proxy/explain_query.h"
#include "proxy/recent.h"

#include <jansson.h>

/* One question and what is found out. */
struct inquest {
    const struct status_query *query;
    const struct settings *settings;
    struct explain_query asked;
    struct route route;
    int64_t now;
    struct explanation found; /* of ROUTE_CACHE */
    struct decision decision; /* predicted; before an origin is asked */
    enum outcome outcomes[3]; /* those it may end with when the origin answers */
    size_t outcome_count;
    const char *action;
    int status;                /* predicted, when the origin answers; 0: the origin's */
    struct span cache_status;  /* predicted, as far as it is known */
    struct recent_entry *last; /* the last request for the URL, or NULL */
};

/* Of the mirror that is meant, its path; empty: none is. */
struct span inquest_mirror(const struct inquest *inquest);
/* The page. */
json_t *inquest_json(const struct inquest *inquest);

#endif
