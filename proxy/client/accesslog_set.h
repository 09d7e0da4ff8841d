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
/* Each opens its file anew: somebody has moved it away. */
void accesslog_set_reopen(const struct settings *settings);

#endif
