/*
 * target - which addresses and ports may be asked for, and by which rules what comes back is
 * cached. Pure; borrowed settings must live as long as the check.
 */
#ifndef LARDER_PROXY_ORIGIN_TARGET_H
#define LARDER_PROXY_ORIGIN_TARGET_H

#include "base/own.h"
#include "cache/policy.h"
#include "proxy/directives.h"
#include "proxy/origin/upstream.h"

/* The argument of target_allowed(). */
struct target_check {
    const struct settings *settings;
    bool configured; /* an origin named in the configuration: its addresses are trusted */
    const struct own
        *own;        /* addresses we may listen on ourselves; they may be read anew meanwhile */
    enum reason why; /* of the last address that was refused; NONE: the usual one */
};

/* After resolution: loopback, unspecified, link-local, multicast and our own addresses are refused
 * unless `allow-targets` has them; so are IPv6 forms that embed such an IPv4 address (mapped,
 * 6to4, NAT64), and private ones where `private-targets` denies them. Where this process listens
 * itself, for clients or for administrators, and where larder-dns does for the latter, is refused
 * whatever is allowed: who comes from there would have the rights of this machine. Fits struct
 * address_check. */
bool target_allowed(void *check, const struct ip *ip, uint16_t port);
/* What became of a job whose addresses were looked at so, told with what is known here. */
struct failure target_failure(const struct target_check *check,
                              const struct upstream_result *result);

/* CONNECT only to listed ports; other methods to 80, 443 and 1024 and above (Squid's safe ports).
 */
bool target_port_allowed(const struct settings *settings, uint16_t port, bool connect);

/* The cache rules for a site (targeted fields count there), or for a forward request (NULL). */
struct policy_settings target_policy(const struct settings *settings, const struct site *site);

/* The same for a URL there: of a mirror, what is known of it counts, too. */
struct policy_settings target_rules(const struct settings *settings, const struct site *site,
                                    struct span path);

/* The part of the configuration whose keys the requests for a site (or NULL) use. */
struct span target_zone(const struct site *site);

#endif
