/*
 * status - the pages of the admin listener. Each function writes the body of one page to `out` and
 * returns its HTTP status. Main thread only; the counters of running workers are read as they are.
 */
#ifndef LARDER_PROXY_ADMIN_STATUS_H
#define LARDER_PROXY_ADMIN_STATUS_H

#include "proxy/server.h"

/* A request for a page. Borrowed during the call. */
struct status_query {
    struct server *server;
    struct span host;    /* Host of the request; may be empty */
    struct span query;   /* behind the "?" of the URL, still percent-encoded */
    struct arena *arena; /* freed once the answer is written */
};

int status_health(const struct status_query *query, struct buf *out);
/* 503 while draining, and while the store accepts nothing because commits fail. */
int status_ready(const struct status_query *query, struct buf *out);
/* Value of the field Larder-Load of /readyz, from which larder-dns learns the load: totals, of
 * which it computes rates, and flags. Memory is from `arena`. */
struct span status_load(struct server *server, struct arena *arena);
/* Round-trip times of clients by network; with "epoch=HEX&since=NUMBER" only what has changed
 * (proxy/roundtrips.h). */
int status_rtt(const struct status_query *query, struct buf *out);
int status_metrics(const struct status_query *query, struct buf *out);
/* The last 24 hours (proxy/admin/history.h). Query: "step=SECONDS&since=NUMBER". */
int status_history(const struct status_query *query, struct buf *out);
/* The busiest hosts and clients of the last hours, and what could not be saved. */
int status_top(const struct status_query *query, struct buf *out);
/* What larder-dns says about its replicas. It is asked in the background: the first answer is
 * empty. */
int status_replicas(const struct status_query *query, struct buf *out);
/* Conditions that need an administrator's attention. */
int status_warnings(const struct status_query *query, struct buf *out);
int status_json(const struct status_query *query, struct buf *out);
/* The directories of the store; with the query "segments", their segments, too. */
int status_store(const struct status_query *query, struct buf *out);
/* Begins to verify all directories, at "rate=BYTES" per second, and says which. */
int status_verify(const struct status_query *query, struct buf *out);
/* The PAC script. It names the proxy by the host by which the client asked this listener. */
int status_pac(const struct status_query *query, struct buf *out);
/* How to set up clients, as a page for people (proxy/client/pac.h). */
int status_setup(const struct status_query *query, struct buf *out);
int status_index(const struct status_query *query, struct buf *out);

struct history_totals;
/* Fills in the totals for history_add(). */
void status_totals(struct server *server, struct history_totals *totals);

#endif
