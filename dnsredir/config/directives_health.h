/*
 * directives_health - the part of the configuration that is about the replicas' health, and about
 * how their load is shared. The tables write into struct settings. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_HEALTH_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_HEALTH_H

#include "dnsredir/config/directives.h"

extern const struct conf_table health_table;
extern const struct conf_table load_table;

#endif
