/*
 * worker - one event loop and what it owns. Belongs to its thread; other threads post letters.
 *
 * Settings are swapped whole on reload: whoever needs them for longer than a call takes a
 * reference.
 */
#ifndef LARDER_PROXY_WORKER_H
#define LARDER_PROXY_WORKER_H

#include "base/list.h"
#include "base/own.h"
#include "cache/cache.h"
#include "proxy/counters.h"
#include "proxy/directives.h"
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
struct tally;

struct worker {
    unsigned number;
    struct loop *loop;
    struct server *server;
    struct settings *settings;
    struct cache *cache;
    struct upstreams *upstreams;
    struct tokens *tokens;        /* of registries; NULL: none yet */
    struct auth *auth;            /* of the server */
    struct accounts *accounts;    /* likewise; NULL: nobody has limits */
    struct accesslog_writer *log; /* NULL: none */
    struct counters counters;
    struct mirror_counts mirrors;
    struct recent recent; /* the last requests, for who asks why */
    struct tally *tally;  /* whom it serves, and from where */
    struct rtt_ring rtts; /* how far clients were that have left; the main thread takes them */
    struct list clients;  /* connections, for draining */
    size_t client_count;
    struct client_terms *terms; /* for the next client; NULL: none yet */
    struct list exchanges;      /* under way */
    struct list fetches;
    size_t unawaited; /* of these: nobody waits for their heads any more */
    struct list tunnels;
    struct list exchange_pool; /* finished exchanges, for reuse */
    size_t exchange_pooled;
    uint64_t serial;       /* of the next exchange: incident ids */
    uint64_t responses;    /* made from objects; with the secret, what a boundary is made of */
    struct sip_key secret; /* random, never shown */
    bool draining;
    struct own own; /* addresses and doors that are no targets */
};

#endif
