/*
 * upstream_parts - the inside of upstream, shared by upstream.c (its life, and what became of
 * connections) and upstream_job.c (one job, from its start to a connection).
 */
#ifndef LARDER_PROXY_ORIGIN_UPSTREAM_PARTS_H
#define LARDER_PROXY_ORIGIN_UPSTREAM_PARTS_H

#include "proxy/origin/candidates.h"
#include "proxy/origin/choice.h"
#include "proxy/origin/origins.h"
#include "proxy/origin/resolve.h"
#include "proxy/origin/upstream.h"

struct upstreams {
    struct loop *loop;
    struct upstream_settings settings; /* its pointers are not used */
    struct resolver *resolver;
    struct origins *origins;
    struct tls_sessions *sessions;
    struct failures failures;
    struct choice choice;
    struct list jobs;
    uint64_t connects, reuses, failed;
};

struct upstream_job {
    struct upstreams *upstreams;
    struct list link;
    struct address_check check;
    void (*done)(void *arg, const struct upstream_result *result);
    void *arg;
    struct timeout step;     /* the start, then each next attempt */
    struct timeout deadline; /* of all attempts together */
    struct resolve_waiter waiter;
    struct list attempts;
    struct list followers; /* jobs that may share this one's connection */
    struct list follow;    /* link in `followers` of another job */
    bool may_follow;
    bool started;
    bool resolved;
    bool expects_more; /* the resolver's answer was partial */
    bool tunnel;
    bool alone;
    bool fresh;
    bool only_http2; /* an address did not accept HTTP/1.1, and nothing else was offered */
    uint16_t port;
    struct tls_context *tls; /* NULL: plain */
    int err;                 /* of the last attempt; TLS errors have precedence */
    size_t refused;
    struct candidates candidates;
    size_t host_len;
    char host[ORIGIN_HOST_MAX];
};

/* Closes everything of a job, without calling `done`. */
void upstream_job_free(struct upstream_job *job);

#endif
