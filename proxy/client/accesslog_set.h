/*
 * accesslog_set - the access logs of settings. Opened after they are loaded, kept with them; what
 * the settings before had open stays open. Old ones are closed when nobody has the old settings any
 * more.
 */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_SET_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_SET_H

#include "proxy/client/accesslog.h"

/* `before`: the settings in force, or NULL. ERR_CONFIG with a line in `errors` for each log that
 * cannot be opened; then the settings have none. */
int accesslog_set_open(struct settings *settings, const struct settings *before,
                       struct buf *errors);
/* Borrowed; none when they are not opened. */
const struct accesslog_out *accesslog_set_of(const struct settings *settings, size_t *count);
/* Whether they could be opened, as far as that can be known before: a folder has to be there.
 * Those that `before` has open are. ERR_CONFIG with lines in `errors`; a system's log that is not
 * there is worth a line of `warnings` only. What could not be bound may be zero. */
int accesslog_set_check(const struct settings *settings, const struct settings *before,
                        struct buf *errors, struct buf *warnings);
/* Each opens its file anew: somebody has moved it away. Those that cannot go on with the old one; a
 * line in `errors` for each. Returns how many could. */
size_t accesslog_set_reopen(const struct settings *settings, struct buf *errors);

#endif
