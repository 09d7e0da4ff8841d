/*
 * load - how full replicas are, and what follows for the clients they get. Pure; times are given.
 *
 * Every replica has a *level* from 0 to 2. Up to 1 it is the fraction of its own clients that it
 * keeps; above 1 it keeps all of them, and the rest is the fraction that it takes of clients for
 * whom others are too full. A replica over its limit first takes no more from others, and then
 * gives away its own clients, a fraction per step; one that is well below its limit comes back the
 * same way. In between nothing moves.
 */
#ifndef LARDER_DNSREDIR_STEERING_LOAD_H
#define LARDER_DNSREDIR_STEERING_LOAD_H

#include "dnsredir/steering/choose.h"

#include "base/span.h"

/* What a replica reports in the field Larder-Load of its answer to a probe: totals since its start,
 * from which the reader makes rates, and its present flags. */
struct load_report {
    uint64_t requests, bytes; /* totals */
    uint64_t connections;     /* of clients, now */
    bool draining, overload;
};

/* Reads "requests=123, bytes=456, connections=7, draining=0, overload=1", in any order; unknown
 * words, of later versions, are ignored. Returns 0, or ERR_SYNTAX, also for more connections than
 * there can be. */
int load_report_parse(struct span text, struct load_report *out);

enum load_measure { LOAD_REQUESTS, LOAD_BYTES, LOAD_CONNECTIONS };
extern const char *const load_measure_words[]; /* ends with NULL */

/* The load of one replica, from its successive reports. */
struct load_meter {
    bool has_last;
    uint64_t last_ms;
    struct load_report last;
    bool known;
    double requests, bytes; /* per second, smoothed */
};

/* Notes a report that came at `now` (ms). If totals fell, or rose faster than is possible, it
 * begins anew with them. */
void load_meter_note(struct load_meter *meter, const struct load_report *report, uint64_t now);
/* The replica did not report: nothing is known any more. */
void load_meter_forget(struct load_meter *meter);
/* The load in the unit of `measure`. */
double load_meter_read(const struct load_meter *meter, enum load_measure measure);

/* One replica in a step. */
struct load_state {
    double capacity; /* 0: it does not share its load, and its level goes to 2 */
    bool open;       /* up, and not draining */
    bool known;
    bool overload; /* it says so itself: its capacity is in doubt, and is ignored */
    double load;
    double level; /* LOAD_LEVEL_MAX: it takes all clients */
};

#define LOAD_LEVEL_MAX 2.0

struct load_rules {
    double spill; /* a replica is too full above so many times its fair share; more than 1 */
    double easy;  /* but never below this fraction of its capacity; 0: capacities are relative */
    double least; /* and never while the load of all together is less than this */
};

/* Makes one step for all replicas. Steps must be far enough apart to see the effect of the last
 * one: clients keep an answer for its TTL. */
void load_step(struct load_state *states, size_t count, const struct load_rules *rules);

/* Writes each replica's fair share of the load of all. */
void load_fair(const struct load_state *states, size_t count, double *fair);

/* The level of a replica that came back `since` ms ago: little at first, and at the end of `ramp`
 * ms all its own clients. */
double load_ramp(double level, uint64_t since, uint64_t ramp);

/* Sets the thresholds of a replica from its level. */
void load_put_level(struct standing *standing, unsigned replica, double level);

#endif
