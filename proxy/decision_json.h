/* decision_json - decisions and the requests they were made for, as JSON for administrators. */
#ifndef LARDER_PROXY_DECISION_JSON_H
#define LARDER_PROXY_DECISION_JSON_H

#include "proxy/recent.h"

#include <jansson.h>

/* {"outcome", "reason", "because", "store_reason", "fwd", "fwd_status", "stored", "collapsed",
 * "age", "lifetime", "ttl", "end"}; what is not known or does not apply is null. */
json_t *decision_json(const struct decision *decision);

/* The same with {"time_ms", "client", "method", "url", "cut", "status", "bytes", "elapsed_us"} in
 * front. The URL is without secrets. */
json_t *recent_json(const struct recent_entry *entry);

/* Text of peers: what is no UTF-8 is percent-encoded. */
json_t *text_json(struct span text);
/* The URL as it may be shown. */
json_t *url_json(const struct uri *uri, bool connect);

#endif
