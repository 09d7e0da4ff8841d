/*
 * status - what the administrative pages say. Each writes its text and returns an HTTP status. On
 * the main thread; counters of running workers are read as they are.
 */
#ifndef LARDER_PROXY_STATUS_H
#define LARDER_PROXY_STATUS_H

#include "proxy/server.h"

/* A request for one of the pages; borrowed during the call. */
struct status_query {
    struct server *server;
    struct span host;    /* as the client asks this listener by; may be empty */
    struct span query;   /* behind the "?" of the URL */
    struct arena *arena; /* until the answer is written */
};

int status_health(const struct status_query *query, struct buf *out);
/* 503 while draining, and while the store takes nothing because commits have failed. */
int status_ready(const struct status_query *query, struct buf *out);
/* The field Larder-Load of /readyz, for larder-dns: totals of which it makes rates, and flags. */
struct span status_load(struct server *server, struct arena *arena);
/* How far clients are, by network; with "epoch=HEX&since=NUMBER" what is new (proxy/roundtrips.h).
 */
int status_rtt(const struct status_query *query, struct buf *out);
int status_metrics(const struct status_query *query, struct buf *out);
/* The last 24 hours (proxy/history.h); "step=SECONDS&since=NUMBER". */
int status_history(const struct status_query *query, struct buf *out);
/* The busiest hosts and clients, and what could not be saved, of the last hours. */
int status_top(const struct status_query *query, struct buf *out);
/* What larder-dns says of its replicas; the first time it is only asked. */
int status_replicas(const struct status_query *query, struct buf *out);
/* What needs somebody. */
int status_warnings(const struct status_query *query, struct buf *out);
int status_json(const struct status_query *query, struct buf *out);
/* The directories of the store; with "segments" as the query, all of their segments, too. */
int status_store(const struct status_query *query, struct buf *out);
/* Begins to verify all directories, at "rate=BYTES" a second; says which. */
int status_verify(const struct status_query *query, struct buf *out);
/* A PAC script that names the proxy by the host the client asked this listener by. */
int status_pac(const struct status_query *query, struct buf *out);
/* The page for people; proxy/client/pac.h has both. */
int status_setup(const struct status_query *query, struct buf *out);
int status_index(const struct status_query *query, struct buf *out);

struct history_totals;
/* For the history: what it is fed with. */
void status_totals(struct server *server, struct history_totals *totals);

#endif
