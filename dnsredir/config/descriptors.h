/*
 * descriptors - how the process's open files are shared out.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DESCRIPTORS_H
#define LARDER_DNSREDIR_CONFIG_DESCRIPTORS_H

#include "dnsredir/config/directives.h"

/* Raises the limit of the process as far as the system allows. Returns how many TCP connections
 * one worker may have: never so many that probes find no descriptor, or whoever opens connections
 * could take all replicas out of the answers. */
size_t descriptors_for_connections(const struct settings *settings);

#endif
