/*
 * directives_zones - directives for zones, their names, and the maps from networks to replicas. The
 * tables write into struct settings. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_ZONES_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_ZONES_H

#include "dnsredir/config/directives.h"

extern const struct conf_table zone_table;
/* Rows of nearest.map. */
extern const struct conf_table map_table;

#endif
