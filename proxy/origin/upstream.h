/*
 * upstream - connections to origins: resolve, check the address, connect (happy eyeballs), agree on
 * TLS, reuse.
 * One per worker; belongs to its loop.
 */
#ifndef LARDER_PROXY_ORIGIN_UPSTREAM_H
#define LARDER_PROXY_ORIGIN_UPSTREAM_H

#include "base/prefix.h"
#include "cache/flight.h"
#include "proxy/stream/h1.h"

struct upstreams;
struct upstream_job;

/* Decides on an address after resolution; the address checked is the address used. Pure. */
struct address_check {
    bool (*allowed)(void *arg, const struct ip *ip, uint16_t port);
    void *arg; /* must live until the job is done */
};

struct upstream_settings {
    struct h1_settings h1;
    uint64_t resolve_ms; /* for a name's first answer */
    uint64_t connect_ms; /* for all attempts of one job together */
    uint64_t idle_ms;    /* a pooled connection is closed after; stands in for h1.times.idle_ms */
    uint64_t tunnel_idle_ms;        /* a tunnel in which no byte moves; 0: idle_ms */
    uint64_t attempt_delay_ms;      /* RFC 8305 Connection Attempt Delay: 250 */
    size_t idle_per_origin;         /* idle connections kept per origin */
    const char *const *nameservers; /* NULL: the system's */
    size_t nameserver_count;
};

struct upstream_target {
    struct span host; /* name or address, lower case, without brackets; copied */
    uint16_t port;
    struct tls_context *tls; /* https; NULL: plain */
    bool configured;         /* an origin of the configuration */
    struct ip client;        /* who asks: names are looked up within its share; zero: nobody */
    bool tunnel;             /* a bare tunnel, never pooled, instead of HTTP/1 */
    bool alone;              /* HTTP/1.1 on a connection for this request only: Upgrade */
    bool fresh;              /* do not take an idle connection (the retry after a dead one) */
};

struct upstream_result {
    int err;               /* 0; ERR_NO_ADDRESS, ERR_REFUSED (by the check), ERR_TIMEOUT, -errno;
                            * of TLS: ERR_TLS, ERR_CERT_UNTRUSTED, ERR_CERT_EXPIRED, ERR_CERT_NAME */
    bool resolved;         /* the name had an address: err is about connecting */
    struct stream *stream; /* bind and send; NULL when err */
    bool reused;           /* the connection had carried another request before */
    bool secured;          /* TLS was agreed on for this one; or a session of it */
    bool resumed;
    bool only_http2;   /* of an error, when it was asked for alone: HTTP/1.1 is not spoken there */
    struct ip address; /* the one used */
};

/* What a client is told about a result with an error. */
struct failure upstream_failure(const struct upstream_result *result);

int upstreams_new(struct loop *loop, const struct upstream_settings *settings,
                  struct upstreams **out);
/* Applies to new connections. */
void upstreams_reconfigure(struct upstreams *upstreams, const struct upstream_settings *settings);
/* Closes idle connections and cancels jobs; streams in use must have been closed. Accepts NULL. */
void upstreams_free(struct upstreams **upstreams);

/* done(arg, result) is called later, once, never from inside this call. */
struct upstream_job *upstream_get(struct upstreams *upstreams, const struct upstream_target *target,
                                  struct address_check check,
                                  void (*done)(void *arg, const struct upstream_result *result),
                                  void *arg);
/* done is not called any more. */
void upstream_cancel(struct upstream_job *job);

/* The origin has said that it did not begin with the stream's request (RFC 9113 8.7), which may be
 * sent again whatever it asks for. Valid inside the stream's on_close. */
bool upstream_refused(const struct stream *stream);
/* The same, or the connection was reused and died before a byte of an answer: the request may be
 * sent again if twice is as good as once. */
bool upstream_may_retry(const struct stream *stream);

/* A descriptor is needed more by others: an idle connection is given up. False: there is none. */
bool upstreams_shed(struct upstreams *upstreams);

struct upstream_stats {
    uint64_t connects, reuses, failures, resolves, idle; /* idle is a gauge */
};
void upstream_stats(const struct upstreams *upstreams, struct upstream_stats *out);

#endif
