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

void own_add_door(struct own *own, int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        (address.ss_family != AF_INET && address.ss_family != AF_INET6)) {
        return;
    }
    own->doors = xrealloc(own->doors, (own->door_count + 1) * sizeof(*own->doors));
    own->doors[own->door_count++] = (struct own_door){
        .ip = ip_of_sockaddr((const struct sockaddr *)&address),
        .port = port_of_sockaddr((const struct sockaddr *)&address),
    };
}

void own_copy_doors(struct own *own, const struct own *of)
{
    own->doors = xrealloc(own->doors, (of->door_count + 1) * sizeof(*own->doors));
    own->door_count = of->door_count;
    for (size_t i = 0; i < of->door_count; i++) {
        own->doors[i] = of->doors[i];
    }
}

/* "0.0.0.0" and "::": who binds there listens everywhere, who connects there means this machine. */
static bool is_unspecified(const struct ip *ip)
{
    static const struct ip any4 = {{[10] = 0xff, [11] = 0xff}}, any6;

    return ip_eq(ip, &any4) || ip_eq(ip, &any6);
}

bool own_leads_to(const struct own *own, const struct own_door *door, const struct ip *ip,
                  uint16_t port)
{
    if (port != door->port) {
        return false;
    }
    return ip_eq(ip, &door->ip) || is_unspecified(ip) ||
           (is_unspecified(&door->ip) && (ip_is_loopback(ip) || own_has(own, ip)));
}

bool own_has_door(const struct own *own, const struct ip *ip, uint16_t port)
{
    for (size_t i = 0; i < own->door_count; i++) {
        if (own_leads_to(own, &own->doors[i], ip, port)) {
            return true;
        }
    }
    return false;
}

void own_fini(struct own *own)
{
    free(own->at);
    free(own->doors);
    *own = (struct own){0};
}
