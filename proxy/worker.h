/*
 * worker - one event loop and everything that it owns.
 *
 * A worker belongs to its thread; other threads reach it only by posting letters to its loop.
 * Settings are replaced as a whole by a reload: whoever needs them for longer than one call takes a
 * reference.
 */
#ifndef LARDER_PROXY_WORKER_H
#define LARDER_PROXY_WORKER_H

#include "base/list.h"
#include "base/own_addrs.h"
#include "cache/cache.h"
#include "proxy/counters.h"
#include "proxy/config/directives.h"
#include "proxy/mirror/counts.h"
#include "proxy/recent.h"
#include "proxy/stream/loop.h"
#include "proxy/stream/rtt.h"

struct server;
struct auth;
struct accounts;
struct upstreams;
struct tokens;
struct accesslog_writer;
struct client_terms;
struct toplist;

struct worker {
    unsigned number;
    struct loop *loop;
    struct server *server;
    struct settings *settings;
    struct cache *cache;
    struct upstreams *upstreams;
    struct tokens *tokens;        /* for the registries of mirrors; NULL: not needed so far */
    struct auth *auth;            /* shared, owned by the server */
    struct accounts *accounts;    /* shared, owned by the server; NULL: nobody has limits */
    struct accesslog_writer *log; /* NULL: no access log is configured */
    struct counters counters;
    struct mirror_counts mirrors;
    struct recent recent;    /* the latest decisions, for /status and explain */
    struct toplist *toplist; /* busiest hosts and clients */
    struct rtt_ring rtts;    /* round-trip times of clients that left, for the main thread */
    struct list clients;     /* struct client, all open connections */
    size_t client_count;
    struct client_terms *terms;  /* settings of new connections; NULL: none made so far */
    struct letter memory_wanted; /* posted by clients_seek_memory() */
    struct list exchanges;       /* struct exchange, in progress */
    struct list fetches;
    size_t unawaited; /* fetches whose response head nobody waits for */
    struct list tunnels;
    struct list row; /* exchanges that do their lookups together, soon */
    size_t row_length;
    struct list exchange_pool; /* finished exchanges, kept for reuse */
    size_t exchange_pooled;
    uint64_t serial;       /* number of the next exchange; part of incident ids */
    uint64_t responses;    /* number of the next multipart response, part of its boundary */
    struct sip_key secret; /* random, never sent */
    bool draining;
    struct own_addrs own_addrs; /* addresses of this machine and our listeners: no targets */
};

#endif
