/* decision_json - decisions, and the requests that they were made for, as JSON for
 * administrators. */
#ifndef LARDER_PROXY_ADMIN_DECISION_JSON_H
#define LARDER_PROXY_ADMIN_DECISION_JSON_H

#include "proxy/recent.h"

#include <jansson.h>

/* {"outcome", "reason", "because", "store_reason", "fwd", "fwd_status", "stored", "collapsed",
 * "age", "lifetime", "ttl", "end"}. Null: unknown, or does not apply. */
json_t *decision_json(const struct decision *decision);

/* The same, preceded by {"time_ms", "client", "method", "url", "cut", "status", "bytes",
 * "elapsed_us"}. Secrets are removed from the URL. */
json_t *recent_json(const struct recent_entry *entry);

/* Text from a peer. Bytes that are not UTF-8 are percent-encoded. */
json_t *text_json(struct span text);
/* The URL without secrets; see proxy/client/shown.h. */
json_t *url_json(const struct uri *uri, bool connect);

#endif
