/*
 * roster - what the control loop knows of the replicas beside their health: who was drained by
 * hand, how full they are, since when they are back. Of it and of the probes it makes the standing
 * that workers choose by. By name, so that a reload forgets nothing. Belongs to the control loop.
 */
#ifndef LARDER_DNSREDIR_HEALTH_ROSTER_H
#define LARDER_DNSREDIR_HEALTH_ROSTER_H

#include "dnsredir/health/health.h"

struct roster;

struct roster *roster_new(void);
void roster_free(struct roster **roster); /* accepts NULL; sets *roster to NULL */

/* From now on these are the replicas. */
void roster_adopt(struct roster *roster, const struct settings *settings);

/* A replica of this name was drained by hand before; it need not be one of now. */
void roster_remember(struct roster *roster, struct span name);
/* Takes the replica out of the answers, or back in. ERR_NOT_FOUND. */
int roster_drain(struct roster *roster, struct span name, bool drained);

/* From now on `bound` (NULL: nothing) is bound by updates: a replica whose target is a name that is
 * open for them and has no address is not given while others are up. */
void roster_look(struct roster *roster, const struct bound *bound);

/* A step of the levels, when load.period has gone by since the last one. `now`: the loop's, ms. */
void roster_step(struct roster *roster, const struct probes *probes, uint64_t now);

/* The standing of this moment. */
void roster_standing(const struct roster *roster, const struct probes *probes, uint64_t now,
                     struct standing *out);

/* For people. */
struct roster_report {
    bool drained;  /* by hand */
    bool draining; /* by hand, of its own, or because it is: */
    bool unbound;  /* no address is bound to its target */
    bool shares;   /* it has a capacity, and its load is known */
    double load, fair;
    double level; /* 0..LOAD_LEVEL_MAX, with the ramp */
};
struct roster_report roster_report(const struct roster *roster, const struct probes *probes,
                                   uint64_t now, size_t replica);

/* The place of its counters: the same for the same name, whatever is reloaded. */
uint16_t roster_slot(const struct roster *roster, size_t replica);

#endif
