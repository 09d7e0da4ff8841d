/*
 * world - a made-up Internet in which distance lies: places on the globe, access networks that meet
 * the carriers of replicas at some exchanges and not at others, and round trips that follow from
 * the way packets go. The same seed is the same world.
 */
#ifndef LARDER_BENCH_NEARNESS_WORLD_H
#define LARDER_BENCH_NEARNESS_WORLD_H

#include "base/network.h"

struct place {
    double latitude, longitude; /* degrees */
};

/* Providers of clients. Networks of one lie in one /16, or one IPv6 /32. */
struct provider {
    struct place home;  /* where an administrator believes its clients are */
    uint32_t exchanges; /* where it meets carriers, a bit each */
    bool detours;       /* none of them is near */
};

struct client_network {
    uint64_t network; /* base/network.h */
    unsigned provider;
    struct place at;       /* where it is, */
    struct place believed; /* and where a database says it is */
    double access_ms;      /* the last mile, there and back */
    double rate;           /* connections a second */
};

struct site {
    struct place at;
    unsigned carrier;
};

struct world {
    uint64_t random;
    size_t provider_count, network_count, site_count;
    struct provider *providers;
    struct client_network *networks;
    struct site *sites;
    double *ms; /* round trips, network by network: see world_ms() */
};

struct world_size {
    size_t providers, networks, sites;
};

void world_init(struct world *world, struct world_size size, uint64_t seed);
void world_fini(struct world *world);

/* What a packet takes there and back when nothing waits, in ms. */
static inline double world_ms(const struct world *world, size_t network, size_t site)
{
    return world->ms[network * world->site_count + site];
}

/* 0 ≤ x < 1; and an exponential one. */
double world_draw(struct world *world);
double world_wait(struct world *world, double mean);

#endif
