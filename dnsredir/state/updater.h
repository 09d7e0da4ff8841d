/*
 * updater - the one thread that writes the state: updates (update.h), and which replicas an
 * operator has drained. Loops hand jobs to it and never wait for a disk. All jobs that are waiting
 * are carried out in one commit, and answered after it.
 *
 * It also refuses what only the state can tell: failed prerequisites, and messages that were
 * accepted before (replay.h). A failed commit undoes all its jobs, and all are answered SERVFAIL.
 * So is every job while the state is damaged or cannot be opened, because then the dynamic records
 * are not known.
 */
#ifndef LARDER_DNSREDIR_STATE_UPDATER_H
#define LARDER_DNSREDIR_STATE_UPDATER_H

#include "dnsredir/publish.h"
#include "dnsredir/state/update_job.h"
#include "dnsredir/zone/dynamic.h"

#include <uv.h>

/* Jobs that may wait. */
#define UPDATER_QUEUE_MAX 256

struct updater;

struct updater_plan {
    const char *dir;         /* the folder of the state file */
    struct publish *publish; /* of struct snapshot, from which it reads */
    size_t reader;           /* its number as a reader of `publish` */
    uv_loop_t *loop;         /* the control loop, where these are called: */
    /* Something has changed: `fresh` is all dynamic records now, and belongs to the callee.
     * The answers are sent after the callee has published it. */
    void (*on_change)(void *arg, struct dynamic_records *fresh);
    /* Everything that updater_drain() gave tickets for, up to this one, is on the disk; unless
     * `good`, some of it is not. */
    void (*on_drain)(void *arg, uint64_t ticket, bool good);
    void *arg;
};

/* Opens the state. Returns an error of statedb_open() if another process has it, or the folder
 * cannot be used. If the file is damaged, or the disk fails, it returns 0 all the same: that is
 * logged, and opening is tried again when updates come, at most once a second. For the control
 * loop, as all functions here unless they say otherwise. */
int updater_open(const struct updater_plan *plan, struct updater **out);
/* Returns the dynamic records of before, as far as they can be read; they belong to the caller. To
 * be called before updater_start(). */
struct dynamic_records *updater_dynamic(struct updater *updater);
/* Is the state open, so that updates can be made? For any thread. */
bool updater_is_good(const struct updater *updater);
/* Visits the names of the replicas that an operator has drained. To be called before
 * updater_start(). */
void updater_each_drained(struct updater *updater, void (*visit)(void *arg, struct span name),
                          void *arg);
/* Starts the thread, once a snapshot has been published. Returns 0 or -errno. */
int updater_start(struct updater *updater);
/* Carries out and answers the jobs that wait, and ends the thread. Accepts NULL. */
void updater_stop(struct updater *updater);
/* To be called after the loop has ended. Accepts a NULL updater; sets *updater to NULL. */
void updater_free(struct updater **updater);

/* Takes over the job, which comes back to its intake. Returns false, and takes nothing, if
 * UPDATER_QUEUE_MAX jobs wait. For any thread. */
bool updater_put(struct updater *updater, struct update_job *job);
/* Remembers that the replica is drained, or no longer is. Returns a ticket for on_drain, from 1 on.
 */
uint64_t updater_drain(struct updater *updater, struct span name, bool drained);

#endif
