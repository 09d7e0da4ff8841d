/* explain_parts - the inside of /explain, shared by explain.c (finds out) and explain_json.c
 * (writes). */
#ifndef LARDER_PROXY_ADMIN_EXPLAIN_PARTS_H
#define LARDER_PROXY_ADMIN_EXPLAIN_PARTS_H

#include "cache/explain.h"
#include "proxy/client/route.h"
#include "proxy/admin/explain.h"
#include "proxy/admin/explain_query.h"
#include "proxy/recent.h"

#include <jansson.h>

/* One question, and what was found out so far. */
struct prediction {
    const struct status_query *query;
    const struct settings *settings;
    struct explain_query asked;
    struct route route;
    int64_t now;
    struct explanation found; /* set for ROUTE_CACHE */
    struct decision decision; /* predicted, before an origin is asked */
    enum outcome outcomes[3]; /* outcomes that the origin's answer may lead to */
    size_t outcome_count;
    const char *action;
    int status;                /* predicted; 0: it will be the origin's */
    struct span cache_status;  /* predicted field, as far as it is known */
    struct recent_entry *last; /* the latest request for the URL, or NULL */
};

/* Path of the mirror that the question is about; empty: none. */
struct span prediction_mirror(const struct prediction *prediction);
/* The whole page. */
json_t *prediction_json(const struct prediction *prediction);

#endif
