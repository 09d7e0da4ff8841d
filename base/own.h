/*
 * own - the addresses of this machine: a proxy that may be asked for itself loops. They come and go
 * while it runs, so they are read again by whoever needs them. And the doors: where this process
 * listens itself. Belongs to one loop.
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

/* Reads them when that was not done within OWN_LASTS_MS of `now_ms` (monotonic). What the system
 * does not tell just now stays as it was. */
void own_refresh(struct own *own, uint64_t now_ms);
bool own_has(const struct own *own, const struct ip *ip);

/* One more door: a bound socket, as the kernel knows it. Those of unix are none, nor is -1. */
void own_add_door(struct own *own, int fd);
/* The same doors, for another loop; before there are threads. */
void own_copy_doors(struct own *own, const struct own *of);
/* Would a connection to there come out at one of the doors? */
bool own_has_door(const struct own *own, const struct ip *ip, uint16_t port);
/* Or at this one, which need not be ours? */
bool own_leads_to(const struct own *own, const struct own_door *door, const struct ip *ip,
                  uint16_t port);
void own_fini(struct own *own);

#endif
