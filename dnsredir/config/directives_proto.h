/*
 * directives_proto - the part of the configuration that is about the protocol: cookies, what the
 * server says about itself. The tables write into struct settings. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_PROTO_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_PROTO_H

#include "dnsredir/config/directives.h"

extern const struct conf_table cookies_table;
extern const struct conf_table rate_limit_table;
extern const struct conf_table log_table;

/* For the finish() of the root: what the server says about itself. The records are in the arena. */
void compile_identity(struct settings *settings, struct arena *arena);

#endif
