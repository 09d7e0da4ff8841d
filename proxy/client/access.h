/*
 * access - decides which requests are allowed. The first rule that matches decides; if none does,
 * the request is denied. Pure; allocates nothing. To which addresses a name may lead is in
 * proxy/origin/target.h.
 */
#ifndef LARDER_PROXY_CLIENT_ACCESS_H
#define LARDER_PROXY_CLIENT_ACCESS_H

#include "http/uri.h"
#include "proxy/access/users.h"
#include "proxy/config/directives.h"

struct access_query {
    const struct ip *client;
    const struct user *user; /* NULL: nobody has authenticated */
    const struct http_head *request;
    const struct uri *uri; /* without a host: it could not be parsed */
    int64_t now;           /* seconds since 1970 */
};

enum access_verdict {
    ACCESS_DENIED,
    ACCESS_ALLOWED,
    ACCESS_WHO, /* a rule would match, but for users it names: authenticate, then ask again */
};

struct access_answer {
    enum access_verdict verdict;
    unsigned number; /* number of the rule that decided, from 1; 0: no rule matched */
    const struct access_rule *rule; /* NULL: no rule matched */
};

void access_decide(const struct settings *settings, const struct access_query *query,
                   struct access_answer *out);

/* Is there any rule by which a client at this address may use the proxy, perhaps after it has
 * authenticated? */
bool access_may_use(const struct settings *settings, const struct ip *client);

#endif
