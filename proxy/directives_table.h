/* directives_table - the rows of larder-proxy's configuration; for proxy/directives.c only. */
#ifndef LARDER_PROXY_DIRECTIVES_TABLE_H
#define LARDER_PROXY_DIRECTIVES_TABLE_H

#include "proxy/directives.h"

extern const struct conf_table settings_table;
extern const struct conf_option settings_options[];

/* directives_access.c: a rule, and those whom rules name. */
extern const struct conf_table access_table, users_table, shares_table;

extern const struct conf_custom port_range_type;

/* Called when certificates are bound: one, or several, become a list. */
void certificates_finish(void *bound, struct arena *arena, const struct conf_at *at);
/* Called when the store is bound: path and directories become one list. */
void store_finish(void *bound, struct arena *arena, const struct conf_at *at);
/* directives_mirror.c: one mirror; and, when all are bound, what is wrong between them. */
extern const struct conf_table mirror_table;
void mirrors_finish(struct settings *settings, struct arena *arena, const struct conf_at *at);
extern const struct conf_table pac_table; /* directives_pac.c */

/* ---- directives_log.c ---- */

extern const struct conf_custom log_field_type; /* struct log_piece */
extern const struct conf_custom log_style_type; /* struct log_style */
/* Called when one access log is bound, and when all of `log` is. */
void access_log_finish(void *bound, struct arena *arena, const struct conf_at *at);
void log_finish(void *bound, struct arena *arena, const struct conf_at *at);

/* directives_hold.c: every directive without CONF_RELOAD as in `running`; test_directives.c holds
 * it against the table. */
void settings_hold(struct settings *settings, const struct settings *running);
/* directives.c: made from the machine's name and the first address. */
char *settings_own_name(const struct settings *settings, struct arena *arena);

/* Called when everything is bound: checks across directives, and what is computed from them. */
void settings_finish(void *bound, struct arena *arena, const struct conf_at *at);

#endif
