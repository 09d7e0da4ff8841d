/*
 * update_intake - where a worker takes in updates. What can be refused at once is refused here;
 * what must be written becomes a job for the updater, whose answer comes back here. Belongs to the
 * worker's loop, but for update_intake_return().
 */
#ifndef LARDER_DNSREDIR_STATE_UPDATE_INTAKE_H
#define LARDER_DNSREDIR_STATE_UPDATE_INTAKE_H

#include "dnsredir/state/update_job.h"

#include <uv.h>

struct updater;
struct worker;
struct snapshot;
struct update_intake;

/* How the answer to a packet is sent when it is not given at once. */
struct reply_route {
    /* Sends the answer, and owns the job from then on. */
    void (*send_reply)(struct update_job *job);
    void *owner;               /* the socket or connection */
    const struct msghdr *from; /* the packet as it was received by UDP; NULL: by TCP */
    struct update_job *job;    /* out: the job that brings the answer later, or NULL */
};

/* Both must outlive it. */
struct update_intake *update_intake_open(struct worker *worker, struct updater *updater);
/* Sends all answers that have come back, without waiting for the loop. Accepts NULL. */
void update_intake_deliver(struct update_intake *intake);
/* Drops what comes back from now on. To be called after all owners are gone. The memory stays until
 * update_intake_free(). Accepts NULL. */
void update_intake_close(struct update_intake *intake);
/* To be called after the loop has ended. Accepts a NULL intake; sets *intake to NULL. */
void update_intake_free(struct update_intake **intake);

/* Answers an update. Returns the length of the answer in `room`, which has UPDATE_REPLY_MAX bytes;
 * or 0: no answer is due, or back->job brings it later. To be called inside publish_enter(). */
size_t update_intake_take(struct update_intake *intake, const struct snapshot *snapshot,
                          struct client *client, struct span packet, struct reply_route *back,
                          void *room);

/* Hands a finished job back to its intake, which sends the answer on its loop. For any thread. */
void update_intake_return(struct update_job *job);

#endif
