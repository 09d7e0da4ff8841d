/*
 * status - what the administrative pages say. Each writes its text and returns an HTTP status. On
 * the main thread; counters of running workers are read as they are.
 */
#ifndef LARDER_PROXY_STATUS_H
#define LARDER_PROXY_STATUS_H

#include "proxy/server.h"

int status_health(struct server *server, struct span host, struct buf *out);
/* 503 while draining, and while the store takes nothing because commits have failed. */
int status_ready(struct server *server, struct span host, struct buf *out);
int status_metrics(struct server *server, struct span host, struct buf *out);
int status_json(struct server *server, struct span host, struct buf *out);
/* A PAC script that names the proxy by the host the client asked this listener by. */
int status_pac(struct server *server, struct span host, struct buf *out);
int status_index(struct server *server, struct span host, struct buf *out);

#endif
