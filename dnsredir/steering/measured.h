/*
 * measured - compiles what has been measured to a map: address → ranking of the replicas by their
 * round-trip times. Off the serving threads; the result is immutable.
 *
 * A network (IPv4 /24, IPv6 /48) is in the map when there is enough data about it (MEASURED_SAMPLES
 * from one replica at least) and the prefixes of the configuration know neither it nor a part of
 * it: what the administrator says comes first. Its ranking begins from what distance says, the
 * *base*:
 *
 * - Replicas that have been measured stand by their times. Of the base's first one of them another
 *   must be better by more than a hair, or distance decides.
 * - Those of which only that is known that they are farther than ESTIMATES_OF others stand nowhere.
 * - Those that have not been measured keep their place before the base's first measured one: too
 *   little is known to change what distance says. They are asked for next and soon measured.
 * - The others stand by what is expected of them: what networks nearby (the same IPv4 /16 or IPv6
 *   /32) found, or else the way by the best one.
 *
 * Light needs time: a replica that is d km away from one with a round trip of t cannot be nearer
 * than d / 100 km/ms - t. Those for which that is less than the best time, and which have not been
 * measured lately, are *explorable*: a small share of answers is for them (choice_explore()), most
 * for those of which most is expected.
 */
#ifndef LARDER_DNSREDIR_STEERING_MEASURED_H
#define LARDER_DNSREDIR_STEERING_MEASURED_H

#include "base/arena.h"
#include "dnsredir/steering/choose.h"
#include "dnsredir/steering/estimates.h"
#include "dnsredir/steering/netmap.h"

enum {
    MEASURED_RANKED = 16,    /* replicas in a ranking; the base stands in behind them */
    MEASURED_EXPLORABLE = 8, /* at a time; when they are measured, others follow */
};

struct measured {
    struct netmap *map; /* NETMAP_NONE: nothing was measured, or too little */
    const struct ranking **rankings;
    size_t ranking_count;
    size_t network_count; /* in the map */
    size_t moved_count;   /* of them, those for which distance chose another replica first */
    unsigned holders;     /* whoever shares it counts here */
    struct arena arena;
};

struct measured_input {
    const struct estimates *estimates;
    const uint16_t *replica_of; /* by slot, REPLICAS_MAX of them; MEASURED_NOBODY: is no more */
    const struct replica *replicas;
    size_t replica_count;
    const struct netmap *base; /* what distance and the configuration say */
    const struct ranking *const *rankings;
    uint32_t now; /* s, of the estimates' clock */
};

#define MEASURED_NOBODY UINT16_MAX
#define MEASURED_SAMPLES                                                                           \
    3 /* connections that a replica has seen from a network; fewer say nothing */

/* Its rankings point to the base's, which must outlive it. */
struct measured *measured_new(const struct measured_input *input);
void measured_free(struct measured **measured); /* accepts NULL; sets it to NULL */

#endif
