/*
 * conf_json - what differs between two configurations, as JSON. Pure. A library of its own, for
 * programs that have jansson.
 */
#ifndef LARDER_BASE_CONF_JSON_H
#define LARDER_BASE_CONF_JSON_H

#include "base/conf.h"

#include <jansson.h>

/* {"changes": [{"path", "kind", "before", "after", "origin", "by"}]}, one for each difference,
 * sorted by path. "before" and "after" are left out where there is none, and of what was only
 * moved. Never NULL. */
json_t *conf_changes_json(const struct conf_flat *before, const struct conf_flat *after);

#endif
