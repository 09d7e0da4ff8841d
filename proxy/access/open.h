/*
 * open - do the access rules make this an open proxy: usable by everybody, to any host? Pure.
 */
#ifndef LARDER_PROXY_ACCESS_OPEN_H
#define LARDER_PROXY_ACCESS_OPEN_H

#include "proxy/config/directives.h"

/* The rule that allows everybody any host, while a listener can be reached by other machines; NULL:
 * there is none. */
const struct access_rule *access_open_rule(const struct settings *settings);

#endif
