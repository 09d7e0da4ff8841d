/*
 * measured - compiles measured round-trip times to a map from addresses to rankings of the
 * replicas. It works off the serving threads; the result is immutable.
 *
 * A network (IPv4 /24, IPv6 /48) is in the map if at least one replica has reported
 * MEASURED_SAMPLES of it, and the prefixes of the configuration know neither the network nor a part
 * of it: what the administrator says comes first. Its ranking is made from the *base*, the ranking
 * by distance:
 *
 * - Measured replicas are ranked by their times. Another one replaces the first measured one of the
 * base only if it is better by more than a small margin.
 * - Replicas of which is only known that they are farther than ESTIMATES_NEAREST others are left
 * out.
 * - Unmeasured replicas keep their place before the first measured one of the base: too little is
 * known to change what distance says. They are asked next, and so soon measured.
 * - All others are ranked by an expected time: what networks nearby (the same IPv4 /16 or IPv6 /32)
 * have measured, or else the way by the best replica.
 *
 * Light takes time: a replica that is d km away from one with a round trip of t ms cannot have less
 * than d / 100 - t ms. Replicas for which that is less than the best time, and which have not been
 * measured lately, are *explorable*: a small share of the answers is for them (choose.h), most of
 * it for those with the best expected times.
 */
#ifndef LARDER_DNSREDIR_STEERING_MEASURED_H
#define LARDER_DNSREDIR_STEERING_MEASURED_H

#include "base/arena.h"
#include "dnsredir/steering/choose.h"
#include "dnsredir/steering/estimates.h"
#include "dnsredir/steering/netmap.h"

enum {
    MEASURED_RANKED = 16,    /* replicas in a ranking; the base stands in behind them */
    MEASURED_EXPLORABLE = 8, /* at a time; others follow when these are measured */
};

struct measured {
    struct netmap *map; /* NETMAP_NONE: nothing was measured, or too little */
    const struct ranking **rankings;
    size_t ranking_count;
    size_t network_count; /* in the map */
    size_t moved_count;   /* networks for which distance chose another first replica */
    unsigned holders;     /* references, counted by the control thread */
    struct arena arena;
};

struct measured_input {
    const struct estimates *estimates;
    const uint16_t *replica_of; /* the replica of each of REPLICAS_MAX slots, or MEASURED_NOBODY */
    const struct replica *replicas;
    size_t replica_count;
    const struct netmap *base; /* the map by distance and configuration */
    const struct ranking *const *rankings;
    uint32_t now; /* seconds, by the clock of the estimates */
};

#define MEASURED_NOBODY UINT16_MAX
#define MEASURED_SAMPLES 3 /* round trips of a network; fewer say nothing */

/* Makes the map. Its rankings point to those of the base, which must outlive it. */
struct measured *measured_new(const struct measured_input *input);
void measured_free(struct measured **measured); /* accepts NULL; sets *measured to NULL */

#endif
