/* explain_stored - what is stored, as JSON for /explain. */
#ifndef LARDER_PROXY_ADMIN_EXPLAIN_STORED_H
#define LARDER_PROXY_ADMIN_EXPLAIN_STORED_H

#include "cache/explain.h"
#include "cache/policy_explain.h"

#include <jansson.h>

/* One stored response: status, size, where it is, since when, its validators, what selects it. */
json_t *stored_json(const struct object *object, bool is_variant);

/* {"vary": ["accept-encoding"], "known": [responses], "more"}; null when the URL has no variants.
 * "known" has the variants in memory, and the latest ones with an ETag. */
json_t *variants_json(const struct explanation *explanation);

/* The numbers that age and freshness lifetime are computed from, each with its source. */
json_t *freshness_json(const struct object *object, const struct policy_settings *settings,
                       int64_t now);

#endif
