/*
 * reload - the pages of the admin listener about the configuration: what is in force, what a reload
 * would change, a reload and its outcome. Main thread only, like proxy/admin/status.h.
 */
#ifndef LARDER_PROXY_ADMIN_RELOAD_H
#define LARDER_PROXY_ADMIN_RELOAD_H

#include "proxy/admin/status.h"

/* All directives in force, as --print-config writes them. */
int reload_config(const struct status_query *query, struct buf *out);
/* The same in the form of conf_read_settings(), preceded by the command line: for larderctl to
 * compare. */
int reload_settings(const struct status_query *query, struct buf *out);
/* What a reload would change now: {"changes": [{"path", "kind", "before", "after", "origin",
 * "by"}]}. 400 with {"error", "errors": [TEXT]} when the configuration has errors. */
int reload_diff(const struct status_query *query, struct buf *out);
/* Reloads, and answers like reload_diff() with what has changed. Workers take the new settings over
 * soon afterwards; reload_state() tells when all have. */
int reload_now(const struct status_query *query, struct buf *out);
/* {"taken": whether all workers use the settings in force, "reloads" and "refused": how many so
 * far, "settings": how many versions are still in use}. */
int reload_state(const struct status_query *query, struct buf *out);

/* Makes the access logs open their files again. */
int reload_logs(const struct status_query *query, struct buf *out);

#endif
