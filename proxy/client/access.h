/* access - which clients may use the proxy. Pure. Where they may go is proxy/origin/target.h. */
#ifndef LARDER_PROXY_CLIENT_ACCESS_H
#define LARDER_PROXY_CLIENT_ACCESS_H

#include "proxy/directives.h"

/* The rules in their order: the first that names the client decides, the end is deny. */
bool access_client(const struct settings *settings, const struct ip *client);

#endif
