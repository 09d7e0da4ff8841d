/*
 * own_addrs - the addresses of this machine, and the TCP listeners of this process: a proxy that
 * connects to itself would loop. Addresses of interfaces come and go, so they are read again when
 * needed. Belongs to one loop.
 */
#ifndef LARDER_BASE_OWN_ADDRS_H
#define LARDER_BASE_OWN_ADDRS_H

#include "base/prefix.h"

#define OWN_ADDRS_LAST_MS 10000

struct own_listener {
    struct ip ip;
    uint16_t port;
};

struct own_addrs {
    struct ip *at; /* the addresses of all interfaces; NULL: never read */
    size_t count;
    uint64_t read_ms;
    struct own_listener *listeners;
    size_t listener_count;
};

/* Reads the addresses again unless that was done in the last OWN_ADDRS_LAST_MS before `now_ms`
 * (monotonic). What cannot be read stays as it was. */
void own_addrs_refresh(struct own_addrs *addrs, uint64_t now_ms);
/* Is it an address of one of our interfaces? */
bool own_addrs_has(const struct own_addrs *addrs, const struct ip *ip);

/* Adds the address of a listening socket. Ignores unix sockets, and -1. */
void own_addrs_add_listener(struct own_addrs *addrs, int fd);
/* Copies the listeners of `of` for another loop. To be called before there are threads. */
void own_addrs_copy_listeners(struct own_addrs *addrs, const struct own_addrs *of);
/* Would a connection to this address and port reach one of the listeners? */
bool own_addrs_has_listener(const struct own_addrs *addrs, const struct ip *ip, uint16_t port);
/* Would it reach this listener, which may be that of another process of this machine? */
bool own_addrs_leads_to(const struct own_addrs *addrs, const struct own_listener *listener,
                        const struct ip *ip, uint16_t port);
/* Frees what it holds; it is empty then. */
void own_addrs_fini(struct own_addrs *addrs);

#endif
