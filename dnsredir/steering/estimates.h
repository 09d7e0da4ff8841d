/*
 * estimates - the round-trip time from each network of clients to each replica, as the replicas
 * have reported it: a table of fixed size, by network (IPv4 /24, IPv6 /48) and replica. Pure; times
 * are monotonic, in seconds. Belongs to the control loop.
 *
 * The table has sets of eight networks. A ninth one replaces the one that is worth least: one whose
 * estimates are all too old, then one that only one replica has measured, and among equals the one
 * heard of longest ago. For each network the times of the ESTIMATES_NEAREST nearest replicas are
 * kept; for others one bit says, for half of max_age, that they are farther.
 */
#ifndef LARDER_DNSREDIR_STEERING_ESTIMATES_H
#define LARDER_DNSREDIR_STEERING_ESTIMATES_H

#include "base/siphash.h"
#include "dnsredir/steering/policy.h"
#include "dnsredir/steering/rttreport.h"

enum { ESTIMATES_NEAREST = 24 };

/* The estimate of one replica, whose slot stays the same when the configuration changes
 * (roster_slot()). */
struct estimate {
    uint16_t slot;
    uint16_t samples; /* how many round trips the replica has measured there */
    uint32_t us;
    uint32_t at; /* s: when it measured the last one */
};

struct network_estimates {
    uint64_t network; /* 0: free */
    uint32_t heard;   /* s: of the last report */
    uint16_t count;
    uint32_t far_at;        /* s: when the first one came into `far` */
    struct replica_set far; /* slots that were measured, and are farther than all in `nearest` */
    struct estimate nearest[ESTIMATES_NEAREST];
};

struct estimates {
    struct sip_key key; /* hashes are keyed: anybody can choose a network */
    uint32_t max_age;   /* s: older estimates count as unknown */
    size_t sets;
    size_t count; /* networks */
    struct network_estimates *at;
};

/* Makes a table for about `networks` networks. */
struct estimates *estimates_new(size_t networks, uint32_t max_age);
void estimates_free(struct estimates **estimates); /* accepts NULL; sets it to NULL */
/* A copy, for another thread. */
struct estimates *estimates_copy(const struct estimates *estimates);

/* Notes what the replica `slot` reports of a network. A time that differs little from the known one
 * changes nothing, so that equals do not take turns. Returns whether rankings may change. */
bool estimates_note(struct estimates *estimates, uint16_t slot, const struct rtt_line *line,
                    uint32_t now);
/* Forgets all times of the slot, because it is another replica now. */
void estimates_forget(struct estimates *estimates, uint16_t slot);

size_t estimates_size(const struct estimates *estimates); /* bytes */

/* What is known of a network, or NULL. */
const struct network_estimates *estimates_find(const struct estimates *estimates, uint64_t network);
/* Visits every network. */
void estimates_each(const struct estimates *estimates,
                    void (*visit)(void *arg, const struct network_estimates *network), void *arg);

/* Is the replica `slot` known to be farther than those that are kept? */
static inline bool estimates_is_far(const struct estimates *estimates,
                                    const struct network_estimates *network, uint16_t slot,
                                    uint32_t now)
{
    return replica_set_has(&network->far, slot) && now - network->far_at <= estimates->max_age / 2;
}

static inline bool estimate_is_good(const struct estimates *estimates,
                                    const struct estimate *estimate, uint32_t now)
{
    return now - estimate->at <= estimates->max_age;
}

#endif
