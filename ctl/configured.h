/*
 * configured - what larder-proxy's configuration names, for verbs that look at its files by
 * themselves. Read by the rules of the daemon.
 */
#ifndef LARDER_CTL_CONFIGURED_H
#define LARDER_CTL_CONFIGURED_H

#include "proxy/directives.h"

/* Where it is when nobody says where. */
#define CONFIGURED_DEFAULT "/etc/larder/proxy.yaml"

/* Settings with at least one store in them, to be given back with settings_unref(). Else negative,
 * and a sentence for people in *why: the file cannot be read (-errno), has errors (ERR_CONFIG; each
 * is a line of *why before it), or names no store (ERR_NOT_FOUND). */
int configured_stores(const char *file, struct settings **out, struct buf *why);

#endif
