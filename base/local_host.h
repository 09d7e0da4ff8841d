/*
 * local_host - does a request's host name mean this machine, and no other? A page of a stranger can
 * make its own name resolve to our address (DNS rebinding); then the browser takes us for that
 * site, but still sends that name. Thread-safe.
 */
#ifndef LARDER_BASE_LOCAL_HOST_H
#define LARDER_BASE_LOCAL_HOST_H

#include "base/span.h"

/* True for an address without brackets, localhost, and the name of this machine; without a port. */
bool local_host_is(struct span host);

#endif
