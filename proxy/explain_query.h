/*
 * explain_query - the request that /explain is asked about, from the query of its URL:
 *
 *   url=http%3A%2F%2Fa%2F&method=GET&header=Accept%3A%20text%2Fhtml&header=…&client=192.0.2.7
 *   &user=eve&mirror=/npm/
 *
 * Values are percent-encoded; "+" is a plus. What a client could not send is still read, as far as
 * it can be shown: the answer then says how it would be refused. Pure.
 */
#ifndef LARDER_PROXY_EXPLAIN_QUERY_H
#define LARDER_PROXY_EXPLAIN_QUERY_H

#include "base/prefix.h"
#include "http/message.h"

enum { EXPLAIN_FIELDS_MAX = 64, EXPLAIN_VALUE_MAX = 16384 };

struct explain_query {
    struct http_head request; /* with a Host, if the URL has one */
    struct ip client;
    bool has_client;
    struct span mirror; /* the URL is at the origin of the mirror with this path; empty: of any */
    struct span user;   /* asked for as if they had said who they are; empty: nobody */
};

/* Memory is the arena's. 0, or ERR_SYNTAX or ERR_TOO_LARGE with a sentence for people in *what. */
int explain_query_parse(struct span query, struct arena *arena, struct explain_query *out,
                        struct span *what);

#endif
