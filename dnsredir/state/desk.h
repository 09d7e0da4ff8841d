/*
 * desk - where a worker takes in updates: what can be refused at once is, what must be written goes
 * on an errand to the updater, and its answer comes back here. Belongs to the worker's loop, but
 * for desk_return().
 */
#ifndef LARDER_DNSREDIR_STATE_DESK_H
#define LARDER_DNSREDIR_STATE_DESK_H

#include "dnsredir/state/errand.h"

#include <uv.h>

struct updater;
struct worker;
struct world;
struct desk;

/* Where the answer of a packet goes when it is not given at once. */
struct way_back {
    void (*give)(struct errand *errand);
    void *owner;
    const struct msghdr *from; /* by UDP, else NULL */
    struct errand *errand;     /* set when one was sent out */
};

struct desk *desk_open(struct worker *worker, struct updater *updater);
/* Gives what has come back, at once. Accepts NULL. */
void desk_deliver(struct desk *desk);
/* After all owners are gone. Accepts NULL; sets *desk to NULL. What comes back later is dropped;
 * the memory stays until desk_free(). */
void desk_close(struct desk *desk);
void desk_free(struct desk **desk); /* after the loop has ended */

/* Answers an update: returns the length of what was written to `room` (UPDATE_REPLY_MAX bytes), or
 * 0: no answer is due, or back->errand brings it later. Inside publish_enter(). */
size_t desk_take(struct desk *desk, const struct world *world, struct asker *asker,
                 struct span packet, struct way_back *back, void *room);

/* The errand is done. Any thread. */
void desk_return(struct errand *errand);

#endif
