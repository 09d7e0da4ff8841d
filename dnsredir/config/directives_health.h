/*
 * directives_health - directives for the health of replicas, and for sharing their load. The tables
 * write into struct settings. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_HEALTH_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_HEALTH_H

#include "dnsredir/config/directives.h"

extern const struct conf_table health_table;
extern const struct conf_table load_table;

#endif
