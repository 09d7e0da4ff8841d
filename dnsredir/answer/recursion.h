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
    const struct prefix *except; /* clients that get the true answer all the same */
    size_t except_count;
};

/* Clients in `allow` are resolved for. Those at an address of a replica are never redirected: the
 * replica must find the origin, and not itself. Everything in `arena`; the arrays must outlive it.
 */
struct recursion *recursion_new(struct arena *arena, const struct prefix *allow, size_t allow_count,
                                const struct replica *replicas, size_t replica_count);
/* `pattern` is a name, or "*." and a name for all names below that one, however deep. Load time
 * only. ERR_BUSY: it is there already; ERR_SYNTAX: a wildcard for all names there are. */
int recursion_redirect_add(struct arena *arena, struct recursion *recursion,
                           const struct name *pattern, const struct redirect_rule *rule);

bool recursion_allows(const struct recursion *recursion, const struct ip *client);
/* By what this client's addresses of `name` are chosen: the name's own entry, or that of the
 * longest wildcard. NULL: it is resolved like any other name. */
const struct policy *recursion_redirect(const struct recursion *recursion, const struct name *name,
                                        const struct ip *client);

#endif
