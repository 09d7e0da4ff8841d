/*
 * descriptors - how many of the process's open files TCP connections may have.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DESCRIPTORS_H
#define LARDER_DNSREDIR_CONFIG_DESCRIPTORS_H

#include "dnsredir/config/directives.h"

/* Raises the limit of the process as far as the system allows. Returns how many TCP connections one
 * worker may have: never so many that probes find no descriptor, or a client could take all
 * replicas out of the answers by opening connections. */
size_t descriptors_for_connections(const struct settings *settings);

#endif
