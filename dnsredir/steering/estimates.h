/*
 * estimates - how far each network of clients is from each replica, as the replicas have told: a
 * table of fixed size, by network (IPv4 /24, IPv6 /48) and replica. Pure; times are given in
 * seconds that only go forward. Belongs to the control loop.
 *
 * The table has sets of eight networks. When a ninth comes, the one leaves that says least: one
 * whose estimates are all too old, then one that only one replica has measured, and of equals the
 * one heard of longest ago. Of a network the times of the ESTIMATES_OF nearest replicas are kept;
 * of others one bit says that they are farther, for half of max_age.
 */
#ifndef LARDER_DNSREDIR_STEERING_ESTIMATES_H
#define LARDER_DNSREDIR_STEERING_ESTIMATES_H

#include "base/siphash.h"
#include "dnsredir/steering/policy.h"
#include "dnsredir/steering/rttreport.h"

enum { ESTIMATES_OF = 24 };

/* Of one replica. Replicas have numbers that stay when the configuration changes (roster_slot()).
 */
struct estimate {
    uint16_t slot;
    uint16_t samples; /* that the replica has of the network */
    uint32_t us;
    uint32_t at; /* s: when it last had one */
};

struct estimated {
    uint64_t network; /* 0: free */
    uint32_t heard;   /* s: of the last report */
    uint16_t count;
    uint32_t far_at;        /* s: the first of `far` */
    struct replica_set far; /* by slot: measured, and farther than all of these */
    struct estimate of[ESTIMATES_OF];
};

struct estimates {
    struct sip_key key; /* clients choose their networks */
    uint32_t max_age;   /* s: what is older counts as not known */
    size_t sets;
    size_t count; /* networks */
    struct estimated *at;
};

/* For about `networks` networks. */
struct estimates *estimates_new(size_t networks, uint32_t max_age);
void estimates_free(struct estimates **estimates); /* accepts NULL; sets it to NULL */
/* For another thread. */
struct estimates *estimates_copy(const struct estimates *estimates);

/* What the replica `slot` says of a network. A time that differs little from what is known changes
 * nothing, so that equals do not take turns. Returns whether rankings may change by it. */
bool estimates_note(struct estimates *estimates, uint16_t slot, const struct rtt_line *line,
                    uint32_t now);
/* The replica is another one now. */
void estimates_forget(struct estimates *estimates, uint16_t slot);

size_t estimates_size(const struct estimates *estimates); /* bytes */

/* NULL: not known. */
const struct estimated *estimates_find(const struct estimates *estimates, uint64_t network);
/* Every network. */
void estimates_each(const struct estimates *estimates,
                    void (*visit)(void *arg, const struct estimated *network), void *arg);

/* Is `slot` known to be farther than those that are kept? */
static inline bool estimates_is_far(const struct estimates *estimates,
                                    const struct estimated *network, uint16_t slot, uint32_t now)
{
    return replica_set_has(&network->far, slot) && now - network->far_at <= estimates->max_age / 2;
}

static inline bool estimate_is_good(const struct estimates *estimates,
                                    const struct estimate *estimate, uint32_t now)
{
    return now - estimate->at <= estimates->max_age;
}

#endif
