/*
 * local_host - is the host of a request one by which only this machine can be meant? A page of a
 * stranger can make its own name resolve to our address (DNS rebinding); then the browser takes us
 * for that page's site, but still says the name. Thread-safe.
 */
#ifndef LARDER_BASE_LOCAL_HOST_H
#define LARDER_BASE_LOCAL_HOST_H

#include "base/span.h"

/* An address, without brackets; localhost; or the name of this machine. Without a port. */
bool local_host_is(struct span host);

#endif
