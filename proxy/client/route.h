/*
 * route - decides where a request goes (to the cache, into a tunnel, or nowhere), and whether the
 * client may use the proxy for it. Pure; borrows the settings.
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
    const struct ip *client; /* NULL: access rules are not asked */
    const struct user *user; /* who has authenticated; NULL: nobody, or not asked */
    bool https;              /* the request came over TLS */
    int64_t now;             /* seconds since 1970 */
    struct arena *arena;     /* holds the URI */
};

enum route_kind {
    ROUTE_CACHE,   /* to the cache: site, rules and policy are set */
    ROUTE_UPGRADE, /* the same, and `upgrade` goes to the origin (RFC 9110 7.8) */
    ROUTE_TUNNEL,  /* CONNECT */
    ROUTE_HERE,    /* answered here: TRACE or OPTIONS with Max-Forwards 0 (RFC 9110 7.6.2), or
                      addressed to us */
    ROUTE_PING,    /* a mirror is asked "is there a registry?": yes */
    ROUTE_WHO, /* a rule needs to know the user; if that fails, refused with status and reason */
    ROUTE_REFUSED, /* status and reason are set, maybe `what` */
};

struct route {
    enum route_kind kind;
    struct uri uri; /* as far as it could be parsed; of a mirror: at its origin */
    struct uri key; /* URL that the cache key is made from */
    bool has_uri;
    bool overrules;           /* differs from Host, and takes precedence (RFC 9112 3.2.2) */
    struct mirrored mirrored; /* the request as a mirror sees it; its mirror is NULL for others */
    struct access_answer access; /* set if access rules were asked */
    const struct site *site;     /* NULL: forward proxy */
    struct policy_settings rules;
    struct policy_request policy;
    struct span upgrade; /* protocol to switch to, as in the settings */
    int status;
    enum reason reason;
    const char *what; /* sentence for people; NULL: the text of the reason */
};

void route_request(const struct route_query *query, struct route *out);
/* The same for a request that is known to be for this mirror, whatever its target. */
void route_to_mirror(const struct route_query *query, const struct mirrored *mirrored,
                     struct route *out);

/* How often a TRACE or OPTIONS may still be forwarded (RFC 9110 7.6.2). A number that is larger
 * than ours can be is the largest of ours. False: nothing is said, or the method is another. */
bool route_max_forwards(const struct http_head *request, uint64_t *out);

/* Removes from a request to a site the fields that must not influence a response for everybody. */
void route_strip(const struct route *route, struct http_head *request);

/* Must it be fetched separately, because the response may differ from that to other clients? */
bool route_is_alone(const struct http_head *request);

/* For a request that the cache must not answer (policy->lookup is false). False: it accepts only a
 * stored response (only-if-cached, RFC 9111 5.2.1.7), so the answer is 504. */
bool route_may_pass(const struct policy_request *policy);
struct decision route_pass(const struct policy_request *policy);

#endif
