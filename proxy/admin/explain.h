/*
 * explain - the page /explain of the admin listener, as JSON: how a request would be answered, by
 * which rule, from which numbers, and what would have to change. `larderctl explain` shows it to
 * people. Main thread only; changes nothing in the cache.
 */
#ifndef LARDER_PROXY_ADMIN_EXPLAIN_H
#define LARDER_PROXY_ADMIN_EXPLAIN_H

#include "proxy/admin/status.h"

/* 200, or 400 with {"error"} when the query cannot be understood. */
int explain_page(const struct status_query *query, struct buf *out);

#endif
