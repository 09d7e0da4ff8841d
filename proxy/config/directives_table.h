/* directives_table - the rows of larder-proxy's configuration. Only for proxy/config/directives*.c.
 */
#ifndef LARDER_PROXY_CONFIG_DIRECTIVES_TABLE_H
#define LARDER_PROXY_CONFIG_DIRECTIVES_TABLE_H

#include "proxy/config/directives.h"

extern const struct conf_table settings_table;
extern const struct conf_option settings_options[];

/* directives_access.c: rules, the users they name, and shares. */
extern const struct conf_table access_table, users_table, shares_table;

extern const struct conf_custom port_range_type;

/* Called when certificates are bound: makes a list of one or several. */
void certificates_finish(void *bound, struct arena *arena, const struct conf_at *at);
/* Called when the store is bound: makes one list of path and directories. */
void store_finish(void *bound, struct arena *arena, const struct conf_at *at);
/* directives_mirror.c: one mirror, and the checks between mirrors once all are bound. */
extern const struct conf_table mirror_table;
void mirrors_finish(struct settings *settings, struct arena *arena, const struct conf_at *at);
extern const struct conf_table pac_table; /* directives_pac.c */

/* ---- directives_log.c ---- */

extern const struct conf_custom log_field_type; /* struct log_piece */
extern const struct conf_custom log_style_type; /* struct log_style */
/* Called when one access log is bound, and when all of `log` is bound. */
void access_log_finish(void *bound, struct arena *arena, const struct conf_at *at);
void log_finish(void *bound, struct arena *arena, const struct conf_at *at);

/* directives_hold.c: sets every directive without CONF_RELOAD to its value in `running`.
 * test_directives.c checks it against the table. */
void settings_hold(struct settings *settings, const struct settings *running);
/* directives.c: a name made from that of the machine and the first address. */
char *settings_own_name(const struct settings *settings, struct arena *arena);

/* Called when everything is bound: checks across directives, and computed fields. */
void settings_finish(void *bound, struct arena *arena, const struct conf_at *at);

#endif
