#include "base/own.h"

#include "base/mem.h"

#include <ifaddrs.h>
#include <stdlib.h>

static void copy(struct own *own, const struct ifaddrs *all)
{
    size_t count = 1; /* of none, too, something is kept: it was read */

    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        count++;
    }
    free(own->at);
    own->at = xcalloc(count, sizeof(*own->at));
    own->count = 0;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (at->ifa_addr &&
            (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6)) {
            own->at[own->count++] = ip_of_sockaddr(at->ifa_addr);
        }
    }
}

void own_refresh(struct own *own, uint64_t now_ms)
{
    struct ifaddrs *all = NULL;

    if (own->at && now_ms - own->read_ms < OWN_LASTS_MS) {
        return;
    }
    own->read_ms = now_ms;
    if (getifaddrs(&all) == 0) {
        copy(own, all);
        freeifaddrs(all);
    }
}

bool own_has(const struct own *own, const struct ip *ip)
{
    for (size_t i = 0; i < own->count; i++) {
        if (ip_eq(&own->at[i], ip)) {
            return true;
        }
    }
    return false;
}

void own_fini(struct own *own)
{
    free(own->at);
    *own = (struct own){0};
}
