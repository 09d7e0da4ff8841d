/*
 * reload - the administrative pages about the configuration: what is in force, what a reload would
 * change, a reload and its outcome. On the main thread, like the others (proxy/status.h).
 */
#ifndef LARDER_PROXY_RELOAD_H
#define LARDER_PROXY_RELOAD_H

#include "proxy/status.h"

/* Every directive in force, as --print-config writes it. */
int reload_config(const struct status_query *query, struct buf *out);
/* The same, and how it was started, for larderctl to compare: conf_read_settings(). */
int reload_settings(const struct status_query *query, struct buf *out);
/* What a reload would change now: {"changes": [{"path", "kind", "before", "after", "origin",
 * "by"}]}. 400 and {"error", "errors": [TEXT]}: the configuration has errors. */
int reload_diff(const struct status_query *query, struct buf *out);
/* Reloads; the answer is that of reload_diff() with what has changed. Workers take it over in the
 * next turns of their loops: */
int reload_now(const struct status_query *query, struct buf *out);
/* {"taken": true} when all have; {"reloads", "refused"} so far, and how many "settings" are alive.
 */
int reload_state(const struct status_query *query, struct buf *out);

/* Has the access logs open their files anew. */
int reload_logs(const struct status_query *query, struct buf *out);

#endif
