/*
 * descriptors - how many of the process's file descriptors TCP connections may use.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DESCRIPTORS_H
#define LARDER_DNSREDIR_CONFIG_DESCRIPTORS_H

#include "dnsredir/config/directives.h"

/* Raises the limit of the process as far as the system allows. Returns how many TCP connections
 * each worker may have. Descriptors for probes are reserved: otherwise a client could make probes
 * fail by opening connections, and so remove all replicas from the answers. */
size_t descriptors_for_connections(const struct settings *settings);

#endif
