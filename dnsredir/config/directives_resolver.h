/*
 * directives_resolver - the part of the configuration that is about names of others: who may ask
 * for them, how they are resolved, which are redirected. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_RESOLVER_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_RESOLVER_H

#include "dnsredir/config/compile_parts.h"

extern const struct conf_table resolver_table;
extern const struct conf_table redirect_table;

/* Makes settings->recursion and settings->recursor, if anybody may ask. */
void compile_resolver(struct compiler *c);

#endif
