/*
 * client - one connection from a client. Belongs to its worker's loop.
 */
#ifndef LARDER_PROXY_CLIENT_CLIENT_H
#define LARDER_PROXY_CLIENT_CLIENT_H

#include "proxy/stream/h1.h"
#include "proxy/worker.h"

struct client {
    struct list link; /* of the worker's clients */
    struct worker *worker;
    struct settings *settings; /* those of its first request; h1 points into them */
    struct h1_settings h1_settings;
    struct h1 *h1;
    struct ip ip;
    uint16_t port;
    bool https;
    bool allowed; /* by the access rules, when it connected */
};

#endif
