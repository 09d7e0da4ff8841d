/*
 * own - the addresses of this machine and the sockets ("doors") where this process listens: a proxy
 * that connects to itself would loop. Addresses come and go, so they are read again when needed.
 * Belongs to one loop.
 */
#ifndef LARDER_BASE_OWN_H
#define LARDER_BASE_OWN_H

#include "base/prefix.h"

#define OWN_LASTS_MS 10000

struct own_door {
    struct ip ip;
    uint16_t port;
};

struct own {
    struct ip *at; /* NULL: never read */
    size_t count;
    uint64_t read_ms;
    struct own_door *doors;
    size_t door_count;
};

/* Reads the addresses again unless that was done in the last OWN_LASTS_MS before `now_ms`
 * (monotonic). What cannot be read stays as it was. */
void own_refresh(struct own *own, uint64_t now_ms);
bool own_has(const struct own *own, const struct ip *ip);

/* Adds the address of a listening socket. Ignores unix sockets, and -1. */
void own_add_door(struct own *own, int fd);
/* Copies the doors for another loop; before there are threads. */
void own_copy_doors(struct own *own, const struct own *of);
/* Would a connection to this address reach one of the doors? */
bool own_has_door(const struct own *own, const struct ip *ip, uint16_t port);
/* Would it reach this door, which may be another process's? */
bool own_leads_to(const struct own *own, const struct own_door *door, const struct ip *ip,
                  uint16_t port);
void own_fini(struct own *own);

#endif
