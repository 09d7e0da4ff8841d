/*
 * compile - from the rows of the configuration to what answers need: replicas, zones, the map.
 * Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_COMPILE_H
#define LARDER_DNSREDIR_CONFIG_COMPILE_H

#include "dnsredir/config/directives.h"

/* Replicas and zones of the settings `bound`, from memory of `arena`. The finish() of the root
 * table: faults are reported where they were written. */
void compile_settings(void *bound, struct arena *arena, const struct conf_at *at);

/* The map of settings that are bound. 0, or ERR_CONFIG after writing to `errors`. */
int compile_nearest(struct settings *settings, struct buf *errors);
/* Of settings with other faults: writes those of the map file to `errors`, too. */
void compile_check_map_file(struct settings *settings, struct buf *errors);

#endif
