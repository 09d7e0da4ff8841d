/*
 * target - which addresses and ports the proxy may connect to, and the cache rules for what comes
 * from there. Pure. Borrowed settings must live as long as the check.
 */
#ifndef LARDER_PROXY_ORIGIN_TARGET_H
#define LARDER_PROXY_ORIGIN_TARGET_H

#include "base/own_addrs.h"
#include "cache/policy.h"
#include "proxy/config/directives.h"
#include "proxy/origin/upstream.h"

/* The argument of target_allowed(). */
struct target_check {
    const struct settings *settings;
    bool configured; /* the origin is named in the configuration, so its addresses are trusted */
    const struct own_addrs *own_addrs; /* may be refreshed meanwhile */
    enum reason why; /* why the last address was refused; NONE: for the usual reason */
};

/* To be called after resolution, as struct address_check. Refuses loopback, unspecified,
 * link-local, multicast and our own addresses unless `allow-targets` has them, also inside IPv6
 * forms (mapped, 6to4, NAT64), and private addresses where `private-targets` denies them. Our own
 * listeners, for clients and administrators, and the admin listener of larder-dns are always
 * refused: a client that reached them through us would have the rights of this machine. */
bool target_allowed(void *check, const struct ip *ip, uint16_t port);
/* What to tell the client about a job that failed with this check. */
struct failure target_failure(const struct target_check *check,
                              const struct upstream_result *result);

/* Is the port allowed? CONNECT: only those of `connect-ports`; other methods: 80, 443, and 1024 and
 * above (Squid's safe ports). */
bool target_port_allowed(const struct settings *settings, uint16_t port, bool connect);

/* The cache rules for a site, where targeted fields count, or for forward proxy requests (NULL). */
struct policy_settings target_policy(const struct settings *settings, const struct site *site);

/* The same for one URL there: for a mirror with what is known about the class of that URL. */
struct policy_settings target_rules(const struct settings *settings, const struct site *site,
                                    struct span path);

/* The zone of cache keys that a site (or NULL) uses. */
struct span target_zone(const struct site *site);

#endif
