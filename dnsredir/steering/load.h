/*
 * load - how full replicas are, and what follows for the clients they get. Pure; times are given.
 *
 * Every replica has a *level*, 0 to 2: below 1 the part of its own clients that it keeps, above 1
 * the part of those it takes for whom others are too full, and 1 for them all. A replica over its
 * limit first takes no more from others, then gives away its own, a part per step; one that is well
 * below it comes back the same way. In between nothing moves.
 */
#ifndef LARDER_DNSREDIR_STEERING_LOAD_H
#define LARDER_DNSREDIR_STEERING_LOAD_H

#include "dnsredir/steering/choose.h"

#include "base/span.h"

/* What a replica says in the field Larder-Load of its answer to a probe: totals since its start,
 * of which whoever asks makes rates, and flags of the moment. */
struct load_report {
    uint64_t requests, bytes; /* totals */
    uint64_t connections;     /* of clients, at this moment */
    bool draining, overload;
};

/* "requests=123, bytes=456, connections=7, draining=0, overload=1", in any order; unknown words are
 * for later versions. ERR_SYNTAX: it is nothing of the kind, or of more connections than there can
 * be. */
int load_report_parse(struct span text, struct load_report *out);

enum load_measure { LOAD_REQUESTS, LOAD_BYTES, LOAD_CONNECTIONS };
extern const char *const load_measure_words[]; /* ends with NULL */

/* What reports in a row say of one replica. */
struct load_meter {
    bool has_last;
    uint64_t last_ms;
    struct load_report last;
    bool known;
    double requests, bytes; /* per second, smoothed */
};

/* Takes a report that came at `now` (ms). Totals that fell, or rose by more than any machine does,
 * are those to begin anew with. */
void load_meter_note(struct load_meter *meter, const struct load_report *report, uint64_t now);
/* It did not say: nothing is known any more. */
void load_meter_forget(struct load_meter *meter);
/* The load in the unit of `measure`. */
double load_meter_read(const struct load_meter *meter, enum load_measure measure);

/* One replica, for a step. */
struct load_state {
    double capacity; /* 0: it has no part in this, and its level goes to 2 */
    bool open;       /* up, and not draining */
    bool known;
    bool overload; /* it says so itself: its capacity is in doubt, and does not count */
    double load;
    double level; /* LOAD_LEVEL_MAX: it takes all that comes */
};

#define LOAD_LEVEL_MAX 2.0

struct load_rules {
    double spill; /* over so many times its fair share a replica is too full; more than 1 */
    double easy;  /* … but never below so much of its capacity; 0: capacities are only relative */
    double least; /* while all have less load than this together, none is */
};

/* One step for all. Steps are so far apart that the last one's effect can be seen: clients keep
 * what they were told for the TTL. */
void load_step(struct load_state *states, size_t count, const struct load_rules *rules);

/* A replica's fair share of the load of all. */
double load_fair(const struct load_state *states, size_t count, size_t replica);

/* The level of one that came back so many ms ago: little at first, all its own at the end of
 * `ramp`. */
double load_ramp(double level, uint64_t since, uint64_t ramp);

/* The thresholds of a level. */
void load_put_level(struct standing *standing, unsigned replica, double level);

#endif
