/*
 * directives_proto - directives for the protocol: cookies, rate limits, the identity of the server,
 * the query log. The tables write into struct settings. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_PROTO_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_PROTO_H

#include "dnsredir/config/directives.h"

extern const struct conf_table cookies_table;
extern const struct conf_table rate_limit_table;
extern const struct conf_table log_table;

/* Compiles the identity of the server, for the finish() of the root table. The records are in the
 * arena. */
void compile_identity(struct settings *settings, struct arena *arena);

#endif
