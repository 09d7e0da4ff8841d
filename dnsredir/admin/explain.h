/*
 * explain - why a client gets the answer it gets. The answer is made by answer() itself, the order
 * of the candidates by choose() itself; only the words are from here. On the control loop.
 */
#ifndef LARDER_DNSREDIR_ADMIN_EXPLAIN_H
#define LARDER_DNSREDIR_ADMIN_EXPLAIN_H

#include "dnsredir/admin/status.h"

/* "name=www.example.net&client=10.1.0.0/16&type=AAAA" to JSON in `out`; returns its media type, or
 * admin_refused with {"error"}. `view` is what workers answer from. */
const char *explain_page(const struct status *status, const struct view *view, struct span query,
                         struct buf *out);

#endif
