/*
 * target - which addresses and ports may be asked for, and by which rules what comes back is
 * cached. Pure; borrowed settings must live as long as the check.
 */
#ifndef LARDER_PROXY_ORIGIN_TARGET_H
#define LARDER_PROXY_ORIGIN_TARGET_H

#include "base/own.h"
#include "cache/policy.h"
#include "proxy/directives.h"

/* The argument of target_allowed(). */
struct target_check {
    const struct settings *settings;
    bool configured; /* an origin named in the configuration: its addresses are trusted */
    const struct own
        *own; /* addresses we may listen on ourselves; they may be read anew meanwhile */
};

/* After resolution: loopback, unspecified, link-local, multicast and our own addresses are refused
 * unless `allow-targets` has them; so are IPv6 forms that embed such an IPv4 address (mapped,
 * 6to4, NAT64). Fits struct address_check. */
bool target_allowed(void *check, const struct ip *ip, uint16_t port);

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
