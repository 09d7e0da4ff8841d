/*
 * compile - makes what answers need from the rows of the configuration: replicas, zones, and the
 * map of networks. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_COMPILE_H
#define LARDER_DNSREDIR_CONFIG_COMPILE_H

#include "dnsredir/config/directives.h"

/* Compiles replicas and zones of the settings `bound`, with memory from `arena`. Used as the
 * finish() of the root table: errors are reported where the values were written. */
void compile_settings(void *bound, struct arena *arena, const struct conf_at *at);

/* Compiles the map of networks of valid settings. Returns 0, or ERR_CONFIG after appending to
 * `errors`. */
int compile_nearest(struct settings *settings, struct buf *errors);
/* For settings that have errors: appends those of the map file to `errors`, too. */
void compile_check_map_file(struct settings *settings, struct buf *errors);

#endif
