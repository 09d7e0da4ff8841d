/*
 * upstream - connections to origins: resolves, checks the address, connects (happy eyeballs, RFC
 * 8305), does TLS, and reuses connections. One per worker; belongs to its loop.
 */
#ifndef LARDER_PROXY_ORIGIN_UPSTREAM_H
#define LARDER_PROXY_ORIGIN_UPSTREAM_H

#include "base/prefix.h"
#include "cache/flight.h"
#include "proxy/stream/h1.h"

struct choice;
struct upstreams;
struct upstream_job;

/* Decides whether an address may be used. Called with exactly the address that is connected to.
 * Pure. */
struct address_check {
    bool (*allowed)(void *arg, const struct ip *ip, uint16_t port);
    void *arg; /* must exist until the job has ended */
};

struct upstream_settings {
    struct h1_settings h1;
    uint64_t resolve_ms; /* timeout of a name's first answer */
    uint64_t connect_ms; /* timeout of all attempts of one job together */
    uint64_t idle_ms;    /* after which a pooled connection is closed; replaces h1.times.idle_ms */
    uint64_t tunnel_idle_ms;   /* after which a tunnel without traffic is closed; 0: as idle_ms */
    uint64_t attempt_delay_ms; /* Connection Attempt Delay of RFC 8305, usually 250 */
    size_t idle_per_origin;    /* most idle connections kept for one origin */
    const char *const *nameservers; /* NULL: those of the system */
    size_t nameserver_count;
};

struct upstream_target {
    struct span host; /* name or address, lower case, without brackets; copied */
    uint16_t port;
    struct tls_context *tls; /* for https; NULL: no TLS */
    bool configured;         /* named in the configuration */
    struct ip client;        /* whose share of DNS questions a lookup counts for; zero: nobody's */
    bool tunnel;             /* a tunnel instead of HTTP; never pooled */
    bool alone;              /* HTTP/1.1 on a connection for this request only, for Upgrade */
    bool fresh;              /* do not reuse a connection: the last one was dead */
};

struct upstream_result {
    int err; /* 0; ERR_NO_ADDRESS; ERR_REFUSED by the check; ERR_TIMEOUT; -errno; of TLS: ERR_TLS,
                ERR_CERT_UNTRUSTED, ERR_CERT_EXPIRED, ERR_CERT_NAME */
    bool resolved;         /* the name had an address, so `err` is about connecting */
    struct stream *stream; /* bind it and send the request; NULL on errors */
    bool reused;           /* the connection has carried other requests */
    bool secured; /* a TLS handshake was made for this request, and whether it resumed a session */
    bool resumed;
    bool only_http2;   /* on errors of an `alone` target: the origin speaks only HTTP/2 */
    struct ip address; /* that is connected to */
};

/* What to tell the client about a failed result. */
struct failure upstream_failure(const struct upstream_result *result);

int upstreams_new(struct loop *loop, const struct upstream_settings *settings,
                  struct upstreams **out);
/* Applies to new connections. */
void upstreams_reconfigure(struct upstreams *upstreams, const struct upstream_settings *settings);
/* Closes idle connections and cancels jobs. Streams in use must have been closed. Accepts NULL;
 * sets *upstreams to NULL. */
void upstreams_free(struct upstreams **upstreams);

/* Which origins were silent lately: for the caller to ask and to fill. */
struct choice *upstreams_choice(struct upstreams *upstreams);

/* Gets a connection. done(arg, result) is called once, later, never from inside this call. */
struct upstream_job *upstream_get(struct upstreams *upstreams, const struct upstream_target *target,
                                  struct address_check check,
                                  void (*done)(void *arg, const struct upstream_result *result),
                                  void *arg);
/* Cancels a job; `done` is not called any more. */
void upstream_cancel(struct upstream_job *job);

/* Has the origin said that it did not process the request (RFC 9113 8.7)? Then any request may be
 * repeated. Valid inside the stream's on_close. */
bool upstream_refused(const struct stream *stream);
/* The same, or a reused connection died before the first byte of the response: then an idempotent
 * request may be repeated. Valid inside the stream's on_close. */
bool upstream_may_retry(const struct stream *stream);
/* Nothing at all came on the connection since the request was sent. Also valid inside on_close. */
bool upstream_untouched(const struct stream *stream);
/* A response has begun on the stream, which is none of a connection `alone`; the same holds for the
 * two below. */
void upstream_heard(struct upstreams *upstreams, const struct stream *stream);
/* The stream's request timed out, and all that time no response of its origin has begun on any
 * connection: the origin is silent, not just slow with this request. Also valid inside on_close. */
bool upstream_is_silent(const struct upstreams *upstreams, const struct stream *stream);
/* The address that the stream's connection leads to is of no use now: for 30 seconds, other
 * addresses of the name are tried first. False: it has no others. Also valid inside on_close. */
bool upstream_shun(struct upstreams *upstreams, const struct stream *stream);

/* Closes an idle connection, because its descriptor is needed. False: there is none. */
bool upstreams_shed(struct upstreams *upstreams);

struct upstream_stats {
    uint64_t connects, reuses, failures, resolves, idle; /* idle is a gauge */
};
void upstream_stats(const struct upstreams *upstreams, struct upstream_stats *out);

#endif
