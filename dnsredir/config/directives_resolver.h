/*
 * directives_resolver - directives for names outside our zones: who may ask for them, how they are
 * resolved, and which are redirected to replicas. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_RESOLVER_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_RESOLVER_H

#include "dnsredir/config/compile_parts.h"

extern const struct conf_table resolver_table;
extern const struct conf_table redirect_table;

/* Makes settings->recursion and settings->recursor if any client may use the resolver. */
void compile_resolver(struct compiler *c);

#endif
