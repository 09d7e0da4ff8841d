/*
 * explain - the page /explain of the administrative interface, as JSON: what a request would be
 * told, by which rule, from which numbers, and what would have to change. `larderctl explain` shows
 * it to people. On the main thread; the cache and the workers notice nothing.
 */
#ifndef LARDER_PROXY_EXPLAIN_H
#define LARDER_PROXY_EXPLAIN_H

#include "proxy/status.h"

/* 200, or 400 with {"error"} when the question makes no sense. */
int explain_page(const struct status_query *query, struct buf *out);

#endif
