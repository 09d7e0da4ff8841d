/*
 * status_bound - the records that updates have bound, as JSON for /status.
 */
#ifndef LARDER_DNSREDIR_ADMIN_STATUS_BOUND_H
#define LARDER_DNSREDIR_ADMIN_STATUS_BOUND_H

#include "dnsredir/zone/bound.h"

#include <jansson.h>

#define STATUS_BOUND_MAX 1000 /* names that are shown */

/* [{"name": "fra.dyn.example.", "records": ["60 A 192.0.2.1", ...]}, ...] in order of the names. */
json_t *status_bound(const struct bound *bound);

#endif
