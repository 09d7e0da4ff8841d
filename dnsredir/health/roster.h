/*
 * roster - what the control loop knows of the replicas beside their health: which ones an operator
 * has drained, how full they are, and since when they are back. From this and the probes it makes
 * the standing by which workers choose. Replicas are known by name, so that a reload forgets
 * nothing. Belongs to the control loop.
 */
#ifndef LARDER_DNSREDIR_HEALTH_ROSTER_H
#define LARDER_DNSREDIR_HEALTH_ROSTER_H

#include "dnsredir/health/health.h"

struct roster;

struct roster *roster_new(void);
void roster_free(struct roster **roster); /* accepts NULL; sets *roster to NULL */

/* Takes over the replicas of new settings. */
void roster_adopt(struct roster *roster, const struct settings *settings);

/* Notes that an operator drained a replica of this name earlier; there need not be such a replica
 * now. */
void roster_remember(struct roster *roster, struct span name);
/* Takes the replica out of the answers, or back in. Returns 0, or ERR_NOT_FOUND. */
int roster_drain(struct roster *roster, struct span name, bool drained);

/* Takes note of the dynamic records (NULL: none). A replica whose target is a name that is
 * open for updates and has no address is not given out while others are up. */
void roster_note_dynamic(struct roster *roster, const struct dynamic_records *dynamic);

/* Makes a step of the load levels (load.h) if load.period has passed since the last one. `now` is
 * the loop's time in ms. */
void roster_step(struct roster *roster, const struct probes *probes, uint64_t now);

/* Writes the current standing. Who drains no longer gets its clients back within load.ramp, as who
 * was down does; but at once if it drained for less than that. */
void roster_standing(struct roster *roster, const struct probes *probes, uint64_t now,
                     struct standing *out);

/* What is shown to operators. */
struct roster_report {
    bool drained;       /* by an operator */
    bool draining;      /* drained, or it says so itself, or it lacks an address */
    bool lacks_address; /* its target is open for updates, and has none */
    bool shares;        /* it has a capacity, and its load is known */
    double load, fair;
    double level; /* 0..LOAD_LEVEL_MAX, with the ramp */
};
/* Writes the reports of all replicas. */
void roster_report(const struct roster *roster, const struct probes *probes, uint64_t now,
                   struct roster_report *out);

/* The index of the replica's counters, which stays the same for a name over all reloads. */
uint16_t roster_slot(const struct roster *roster, size_t replica);

#endif
