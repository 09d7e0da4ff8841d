/*
 * status_dynamic - the records set by dynamic update, as JSON for /status.
 */
#ifndef LARDER_DNSREDIR_ADMIN_STATUS_DYNAMIC_H
#define LARDER_DNSREDIR_ADMIN_STATUS_DYNAMIC_H

#include "dnsredir/zone/dynamic.h"

#include <jansson.h>

#define STATUS_DYNAMIC_MAX 1000 /* names that are shown */

/* [{"name": "fra.dyn.example.", "records": ["60 A 192.0.2.1", ...]}, ...] in order of the names. */
json_t *status_dynamic(const struct dynamic_records *dynamic);

#endif
