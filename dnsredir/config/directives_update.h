/*
 * directives_update - the tables of `keys` and of `update`, for directives*.c only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_UPDATE_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_UPDATE_H

#include "dnsredir/config/directives.h"

extern const struct conf_table keys_table;   /* struct key_row */
extern const struct conf_table update_table; /* struct update_row */

#endif
