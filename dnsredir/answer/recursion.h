/*
 * recursion - who may ask for names that are not ours, and which of these are redirected to
 * replicas. Pure; immutable after load.
 */
#ifndef LARDER_DNSREDIR_ANSWER_RECURSION_H
#define LARDER_DNSREDIR_ANSWER_RECURSION_H

#include "base/prefix.h"
#include "dnsredir/message/name.h"
#include "dnsredir/steering/policy.h"

struct recursion;

/* One entry of `redirect`. */
struct redirect_rule {
    const struct policy *policy;
    const struct prefix *except; /* clients that get the true answer nevertheless */
    size_t except_count;
};

/* Names are resolved for clients in `allow`. Clients at an address of a replica are never
 * redirected: the replica must find the origin, and not itself. Everything is in `arena`; the
 * arrays must live as long. */
struct recursion *recursion_new(struct arena *arena, const struct prefix *allow, size_t allow_count,
                                const struct replica *replicas, size_t replica_count);
/* Adds a rule. `pattern` is a name, or "*." and a name for all names below that one, however deep.
 * Load time only. Returns 0; ERR_BUSY: the pattern has a rule already; ERR_SYNTAX: it is a wildcard
 * for all names there are. */
int recursion_redirect_add(struct arena *arena, struct recursion *recursion,
                           const struct name *pattern, const struct redirect_rule *rule);

/* Are names of others resolved for this client? */
bool recursion_allows(const struct recursion *recursion, const struct ip *client);
/* The policy by which addresses of `name` are chosen for this client: that of the name's own rule,
 * or of the longest wildcard. NULL: the name is not redirected. */
const struct policy *recursion_redirect(const struct recursion *recursion, const struct name *name,
                                        const struct ip *client);

#endif
