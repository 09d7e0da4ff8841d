#include "base/own_addrs.h"

#include "base/mem.h"

#include <ifaddrs.h>
#include <stdlib.h>

static void copy(struct own_addrs *addrs, const struct ifaddrs *all)
{
    size_t count = 1; /* at least one, so that a machine without addresses still counts as read */

    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        count++;
    }
    free(addrs->at);
    addrs->at = xcalloc(count, sizeof(*addrs->at));
    addrs->count = 0;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (at->ifa_addr &&
            (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6)) {
            addrs->at[addrs->count++] = ip_of_sockaddr(at->ifa_addr);
        }
    }
}

void own_addrs_refresh(struct own_addrs *addrs, uint64_t now_ms)
{
    struct ifaddrs *all = NULL;

    if (addrs->at && now_ms - addrs->read_ms < OWN_ADDRS_LAST_MS) {
        return;
    }
    addrs->read_ms = now_ms;
    if (getifaddrs(&all) == 0) {
        copy(addrs, all);
        freeifaddrs(all);
    }
}

bool own_addrs_has(const struct own_addrs *addrs, const struct ip *ip)
{
    for (size_t i = 0; i < addrs->count; i++) {
        if (ip_eq(&addrs->at[i], ip)) {
            return true;
        }
    }
    return false;
}

void own_addrs_add_listener(struct own_addrs *addrs, int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        (address.ss_family != AF_INET && address.ss_family != AF_INET6)) {
        return;
    }
    addrs->listeners =
        xrealloc(addrs->listeners, (addrs->listener_count + 1) * sizeof(*addrs->listeners));
    addrs->listeners[addrs->listener_count++] = (struct own_listener){
        .ip = ip_of_sockaddr((const struct sockaddr *)&address),
        .port = port_of_sockaddr((const struct sockaddr *)&address),
    };
}

void own_addrs_copy_listeners(struct own_addrs *addrs, const struct own_addrs *of)
{
    addrs->listeners =
        xrealloc(addrs->listeners, (of->listener_count + 1) * sizeof(*addrs->listeners));
    addrs->listener_count = of->listener_count;
    for (size_t i = 0; i < of->listener_count; i++) {
        addrs->listeners[i] = of->listeners[i];
    }
}

/* "0.0.0.0" or "::": a listener bound there accepts on all addresses, and connecting there reaches
 * this machine. */
static bool is_unspecified(const struct ip *ip)
{
    static const struct ip any4 = {{[10] = 0xff, [11] = 0xff}}, any6;

    return ip_eq(ip, &any4) || ip_eq(ip, &any6);
}

bool own_addrs_leads_to(const struct own_addrs *addrs, const struct own_listener *listener,
                        const struct ip *ip, uint16_t port)
{
    if (port != listener->port) {
        return false;
    }
    return ip_eq(ip, &listener->ip) || is_unspecified(ip) ||
           (is_unspecified(&listener->ip) && (ip_is_loopback(ip) || own_addrs_has(addrs, ip)));
}

bool own_addrs_has_listener(const struct own_addrs *addrs, const struct ip *ip, uint16_t port)
{
    for (size_t i = 0; i < addrs->listener_count; i++) {
        if (own_addrs_leads_to(addrs, &addrs->listeners[i], ip, port)) {
            return true;
        }
    }
    return false;
}

void own_addrs_fini(struct own_addrs *addrs)
{
    free(addrs->at);
    free(addrs->listeners);
    *addrs = (struct own_addrs){0};
}
