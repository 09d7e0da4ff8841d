/*
 * route - where a request goes: to the cache, into a tunnel, or nowhere; who asks, for what, and
 * whether they may. Pure; the settings are borrowed.
 */
#ifndef LARDER_PROXY_CLIENT_ROUTE_H
#define LARDER_PROXY_CLIENT_ROUTE_H

#include "cache/decision.h"
#include "cache/policy.h"
#include "proxy/client/access.h"
#include "proxy/mirror/mirror.h"

struct route_query {
    const struct http_head *request;
    const struct settings *settings;
    const struct ip *client; /* NULL: not asked whether they may */
    const struct user *user; /* who it is; NULL: not known, or not asked */
    bool https;              /* it came over TLS */
    int64_t now;             /* seconds since 1970 */
    struct arena *arena;     /* the URI is kept here */
};

enum route_kind {
    ROUTE_CACHE,   /* site, rules and policy are set */
    ROUTE_UPGRADE, /* the same; and upgrade, which goes on to the origin (RFC 9110 7.8) */
    ROUTE_TUNNEL,  /* CONNECT */
    ROUTE_HERE,    /* TRACE or OPTIONS that may go no further (RFC 9110 7.6.2), or is for us */
    ROUTE_PING,    /* "is there a registry?", of a mirror: yes */
    ROUTE_WHO,     /* a rule asks who it is: the same, and if it cannot be known, refused so */
    ROUTE_REFUSED, /* status, reason and maybe what are set */
};

struct route {
    enum route_kind kind;
    struct uri uri; /* as far as it could be read; of a mirror: at its origin */
    struct uri key; /* under which it is kept */
    bool has_uri;
    bool overrules;              /* it is not what Host says; the URI counts (RFC 9112 3.2.2) */
    struct mirrored mirrored;    /* without a mirror: it is for none */
    struct access_answer access; /* if it was asked */
    const struct site *site;     /* NULL: forward */
    struct policy_settings rules;
    struct policy_request policy;
    struct span upgrade; /* the protocol asked for; of the settings */
    int status;
    enum reason reason;
    const char *what; /* a sentence for people, or NULL: the reason's */
};

void route_request(const struct route_query *query, struct route *out);
/* The same of a request that a mirror is known to be meant by, whatever its target. */
void route_to_mirror(const struct route_query *query, const struct mirrored *mirrored,
                     struct route *out);

/* Leaves out of a request what does not go on to a site: what comes back may be for all, and must
 * not be made of what one client says. */
void route_strip(const struct route *route, struct http_head *request);

/* Must it go to the origin without company, because its answer may differ from that to others? */
bool route_is_alone(const struct http_head *request);

/* Of a request that is not for a cache to answer (policy->lookup is false). False: it wants no more
 * than what is stored (RFC 9111 5.2.1.7), which does not answer it; 504. */
bool route_may_pass(const struct policy_request *policy);
struct decision route_pass(const struct policy_request *policy);

#endif
