/*
 * status_parts - what several pages of the admin listener share: /status (status_json.c) and
 * /metrics (status_metrics.c) show the same numbers.
 */
#ifndef LARDER_PROXY_ADMIN_STATUS_PARTS_H
#define LARDER_PROXY_ADMIN_STATUS_PARTS_H

#include "base/memory.h"
#include "proxy/admin/history.h"
#include "proxy/admin/status.h"

#include <jansson.h>

enum { STATUS_WORKERS_MAX = 256 };

/* The counters of all workers, borrowed from them. Workers beyond STATUS_WORKERS_MAX are left
 * out. */
struct owners {
    const void *at[STATUS_WORKERS_MAX];
    size_t count;
};

struct owners owners_of(struct server *server);

/* The value of the parameter `name` in a query such as "a=1&b=2"; empty when it is missing. */
struct span status_parameter(struct span query, struct span name);

/* Users, quotas and shares: status_access.c. */
void status_access_metrics(struct server *server, struct buf *out);
json_t *status_access_json(struct server *server);

/* Mirrors: status_mirrors.c. One entry for each mirror of the settings; the counts are by its
 * path. */
void status_mirror_metrics(struct server *server, struct buf *out);
json_t *status_mirrors_json(struct server *server);

/* Writes an answer as text, ending with a newline. Takes over `root`. */
void status_write_json(json_t *root, struct buf *out);

/* Bytes of memory in use for a purpose. What hot objects use counts as hot, not as bodies and
 * heads. */
uint64_t status_memory_of(enum memory_purpose purpose, const struct cache_stats *stats);

#endif
