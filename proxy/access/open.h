/*
 * open - do the rules make this a proxy for everybody, to any host? Then strangers use it as
 * theirs. Pure.
 */
#ifndef LARDER_PROXY_ACCESS_OPEN_H
#define LARDER_PROXY_ACCESS_OPEN_H

#include "proxy/directives.h"

/* The rule that lets everybody in, for any host, where others than this machine can connect; NULL:
 * there is none. */
const struct access_rule *access_open_rule(const struct settings *settings);

#endif
