/*
 * access - which requests are let through: the rules in their order, the first that holds decides,
 * the end is deny. Pure, and without allocation. Which addresses a name may lead to is
 * proxy/origin/target.h.
 */
#ifndef LARDER_PROXY_CLIENT_ACCESS_H
#define LARDER_PROXY_CLIENT_ACCESS_H

#include "http/uri.h"
#include "proxy/access/users.h"
#include "proxy/directives.h"

struct access_query {
    const struct ip *client;
    const struct user *user; /* NULL: not known */
    const struct http_head *request;
    const struct uri *uri; /* an empty host: it could not be read */
    int64_t now;           /* seconds since 1970 */
};

enum access_verdict {
    ACCESS_DENIED,
    ACCESS_ALLOWED,
    ACCESS_WHO, /* a rule is about users, and holds but for that: who is it? */
};

struct access_answer {
    enum access_verdict verdict;
    unsigned number;                /* of the rule that decided, from 1; 0: the end */
    const struct access_rule *rule; /* NULL: the end */
};

void access_decide(const struct settings *settings, const struct access_query *query,
                   struct access_answer *out);

/* Is there a rule by which a client at this address may use the proxy for something, perhaps once
 * it has said who it is? */
bool access_may_use(const struct settings *settings, const struct ip *client);

#endif
