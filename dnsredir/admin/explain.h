/*
 * explain - why a client gets the answer it gets. The answer is made by answer() itself, and the
 * order of the candidates by choose() itself; only the words are from here. For the control loop.
 */
#ifndef LARDER_DNSREDIR_ADMIN_EXPLAIN_H
#define LARDER_DNSREDIR_ADMIN_EXPLAIN_H

#include "dnsredir/admin/status.h"

/* Answers a query such as "name=www.example.net&client=10.1.0.0/16&type=AAAA" with JSON in `out`.
 * Returns its media type, or admin_refused with {"error": TEXT}. `view` is what workers answer
 * from. */
const char *explain_page(const struct status *status, const struct view *view, struct span query,
                         struct buf *out);

#endif
