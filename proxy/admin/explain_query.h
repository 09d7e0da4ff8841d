/*
 * explain_query - the request that /explain is asked about, parsed from the query of its URL:
 *
 *   url=http%3A%2F%2Fa%2F&method=GET&header=Accept%3A%20text%2Fhtml&header=…&client=192.0.2.7
 *   &user=eve&mirror=/npm/
 *
 * Values are percent-encoded; "+" stands for itself. Requests that no client could send are
 * accepted as far as they can be shown: the answer then says how they would be refused. Pure.
 */
#ifndef LARDER_PROXY_ADMIN_EXPLAIN_QUERY_H
#define LARDER_PROXY_ADMIN_EXPLAIN_QUERY_H

#include "base/prefix.h"
#include "http/message.h"

enum { EXPLAIN_FIELDS_MAX = 64, EXPLAIN_VALUE_MAX = 16384 };

struct explain_query {
    struct http_head request; /* has a Host when the URL has one */
    struct ip client;
    bool has_client;
    struct span mirror; /* the URL is at the origin of the mirror with this path; empty: no mirror
                           was named */
    struct span user;   /* who is taken to have authenticated; empty: nobody */
};

/* Parses a query; memory is from `arena`. Returns 0, or ERR_SYNTAX or ERR_TOO_LARGE with a sentence
 * for people in *what. */
int explain_query_parse(struct span query, struct arena *arena, struct explain_query *out,
                        struct span *what);

#endif
