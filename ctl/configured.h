/*
 * configured - reads larder-proxy's configuration for verbs that open its files themselves.
 */
#ifndef LARDER_CTL_CONFIGURED_H
#define LARDER_CTL_CONFIGURED_H

#include "proxy/config/directives.h"

/* The default configuration file. */
#define CONFIGURED_DEFAULT "/etc/larder/proxy.yaml"

/* Loads settings that have at least one store; the caller gives them back with settings_unref().
 * Returns 0, or a negative code with a sentence in *why: -errno: the file cannot be read;
 * ERR_CONFIG: it has errors, each of which is a line of *why; ERR_NOT_FOUND: it has no store. */
int configured_stores(const char *file, struct settings **out, struct buf *why);

#endif
