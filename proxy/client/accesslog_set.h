/*
 * accesslog_set - the access logs of settings. They are opened after the settings are loaded, and
 * closed when the settings are freed. Logs that the settings before had open stay open.
 */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_SET_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_SET_H

#include "proxy/client/accesslog.h"

/* Opens the logs. `before`: the settings in force, or NULL. Returns 0, or ERR_CONFIG with a line in
 * `errors` for each log that cannot be opened; then none is open. */
int accesslog_set_open(struct settings *settings, const struct settings *before,
                       struct buf *errors);
/* The open logs, borrowed; *count is 0 when there are none. */
const struct accesslog_out *accesslog_set_of(const struct settings *settings, size_t *count);
/* Checks, without opening them, whether the logs could be opened: whether their folders exist, for
 * instance. Logs that `before` has open pass. Returns 0, or ERR_CONFIG with lines in `errors`. A
 * system log that is not running gets only a line in `warnings`. Also works for settings that were
 * loaded with errors. */
int accesslog_set_check(const struct settings *settings, const struct settings *before,
                        struct buf *errors, struct buf *warnings);
/* Opens the file of each log again after it was moved away. A log that fails keeps its old file and
 * gets a line in `errors`. Returns how many succeeded. */
size_t accesslog_set_reopen(const struct settings *settings, struct buf *errors);

#endif
