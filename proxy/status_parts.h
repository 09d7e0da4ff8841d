/*
 * status_parts - what several of the administrative pages ask: status_json.c (/status) and
 * status_metrics.c (/metrics) say the same of the same numbers.
 */
#ifndef LARDER_PROXY_STATUS_PARTS_H
#define LARDER_PROXY_STATUS_PARTS_H

#include "base/memory.h"
#include "proxy/history.h"
#include "proxy/status.h"

#include <jansson.h>

enum { STATUS_WORKERS_MAX = 256 };

/* The counters of all workers; borrowed from them. More than STATUS_WORKERS_MAX are not counted. */
struct owners {
    const void *at[STATUS_WORKERS_MAX];
    size_t count;
};

struct owners owners_of(struct server *server);

/* The value of `name` in "a=1&b=2"; empty: it is not there. */
struct span status_parameter(struct span query, struct span name);

/* Of access: status_access.c. */
void status_access_metrics(struct server *server, struct buf *out);
json_t *status_access_json(struct server *server);

/* Of mirrors: status_mirrors.c. Those of the settings; counted is what was for their paths. */
void status_mirror_metrics(struct server *server, struct buf *out);
json_t *status_mirrors_json(struct server *server);

/* An answer as text, with a line's end. Takes over `root`. */
void status_write_json(json_t *root, struct buf *out);

/* Bytes of memory in use for this. What is hot counts as that, and not as bodies and heads. */
uint64_t status_memory_of(enum memory_purpose purpose, const struct cache_stats *stats);

#endif
