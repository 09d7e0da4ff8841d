/*
 * upstream_parts - the inside of upstream, for the files it is made of: upstream.c (its life) and
 * upstream_job.c (a job, from the start to a connection).
 */
#ifndef LARDER_PROXY_ORIGIN_UPSTREAM_PARTS_H
#define LARDER_PROXY_ORIGIN_UPSTREAM_PARTS_H

#include "proxy/origin/candidates.h"
#include "proxy/origin/origins.h"
#include "proxy/origin/resolve.h"
#include "proxy/origin/upstream.h"

struct upstreams {
    struct loop *loop;
    struct upstream_settings settings; /* without the pointers */
    struct resolver *resolver;
    struct origins *origins;
    struct tls_sessions *sessions;
    struct failures failures;
    struct list jobs;
    uint64_t connects, reuses, failed;
};

struct upstream_job {
    struct upstreams *upstreams;
    struct list link;
    struct address_check check;
    void (*done)(void *arg, const struct upstream_result *result);
    void *arg;
    struct timeout step;     /* the start; then the next attempt */
    struct timeout deadline; /* of all attempts */
    struct resolve_waiter waiter;
    struct list attempts;
    struct list followers; /* wait whether this one's connection can carry them, too */
    struct list follow;    /* of the one this one waits for */
    bool may_follow;
    bool started;
    bool resolved;
    bool expects_more; /* the resolver has said a part */
    bool tunnel;
    bool alone;
    bool fresh;
    bool only_http2; /* an address has refused HTTP/1.1, which alone was offered */
    uint16_t port;
    struct tls_context *tls; /* NULL: plain */
    int err; /* the last attempt's; what TLS failed for tells more than the others */
    size_t refused;
    struct candidates candidates;
    size_t host_len;
    char host[ORIGIN_HOST_MAX];
};

/* Gives up what is under way; whoever asked does not hear of it. */
void upstream_job_free(struct upstream_job *job);

#endif
