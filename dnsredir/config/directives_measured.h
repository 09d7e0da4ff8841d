/*
 * directives_measured - directives for measured nearness. The table writes into struct settings.
 * Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_MEASURED_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_MEASURED_H

#include "dnsredir/config/directives.h"

extern const struct conf_table measured_table;

#endif
