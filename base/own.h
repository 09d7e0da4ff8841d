/*
 * own - the addresses of this machine: a proxy that may be asked for itself loops. They come and go
 * while it runs, so they are read again by whoever needs them. Belongs to one loop.
 */
#ifndef LARDER_BASE_OWN_H
#define LARDER_BASE_OWN_H

#include "base/prefix.h"

#define OWN_LASTS_MS 10000

struct own {
    struct ip *at; /* NULL: never read */
    size_t count;
    uint64_t read_ms;
};

/* Reads them when that was not done within OWN_LASTS_MS of `now_ms` (monotonic). What the system
 * does not tell just now stays as it was. */
void own_refresh(struct own *own, uint64_t now_ms);
bool own_has(const struct own *own, const struct ip *ip);
void own_fini(struct own *own);

#endif
