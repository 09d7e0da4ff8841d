/*
 * updater - the one thread that writes the state: updates (update.h), and which replicas are
 * drained by hand. Loops hand errands to it and never wait for a disk; all that wait are made in
 * one commit, and answered after it.
 *
 * What can be refused only now is: prerequisites, and what was signed before (replay.h). A failed
 * commit undoes all of it, and everybody is answered SERVFAIL. So is everybody while the state is
 * damaged or cannot be opened: nobody can tell what is bound then.
 */
#ifndef LARDER_DNSREDIR_STATE_UPDATER_H
#define LARDER_DNSREDIR_STATE_UPDATER_H

#include "dnsredir/publish.h"
#include "dnsredir/state/errand.h"
#include "dnsredir/zone/bound.h"

#include <uv.h>

/* Errands that may wait; for more, updater_put() says no. */
#define UPDATER_QUEUE_MAX 256

struct updater;

struct updater_plan {
    const char *dir;         /* of the state */
    struct publish *publish; /* of worlds; */
    size_t reader;           /* this one is the thread's */
    uv_loop_t *loop;         /* the control loop, for: */
    /* Something changed: `fresh` is all that is bound now, and the callee's. What it publishes is
     * seen before the answers are sent. */
    void (*on_change)(void *arg, struct bound *fresh);
    /* What updater_drain() gave tickets up to this one for is written, or, if not `good`, some of
     * it is not. */
    void (*on_drain)(void *arg, uint64_t ticket, bool good);
    void *arg;
};

/* Opens the state. 0, also when that is damaged, or the disk does not work: then it is told in the
 * log, and tried again with updates, at most once in a second. An error of statedb_open(): another
 * process has it, or it cannot be where it is said to be. The control loop's, like all but
 * updater_put(). */
int updater_open(const struct updater_plan *plan, struct updater **out);
/* What was bound before, as far as that can be read, and is the caller's now. Before
 * updater_start(). */
struct bound *updater_bound(struct updater *updater);
/* Can updates be made? Any thread. */
bool updater_is_good(const struct updater *updater);
/* The replicas that were drained by hand. Before updater_start(). */
void updater_each_drained(struct updater *updater, void (*visit)(void *arg, struct span name),
                          void *arg);
/* Starts the thread; a world has been published. 0 or -errno. */
int updater_start(struct updater *updater);
/* Writes and answers what waits, and ends the thread. Accepts NULL. */
void updater_stop(struct updater *updater);
void updater_free(struct updater **updater); /* after the loop; accepts NULL */

/* Takes over the errand, which comes back to its desk. False: too many wait. Any thread. */
bool updater_put(struct updater *updater, struct errand *errand);
/* Remembers that the replica was drained, or no longer is. Returns a ticket, from 1 on. */
uint64_t updater_drain(struct updater *updater, struct span name, bool drained);

#endif
