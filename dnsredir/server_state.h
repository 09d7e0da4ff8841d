/*
 * server_state - what outlives the process, as far as the control loop has to do with it. Belongs
 * to that loop.
 */
#ifndef LARDER_DNSREDIR_SERVER_STATE_H
#define LARDER_DNSREDIR_SERVER_STATE_H

#include "dnsredir/health/roster.h"
#include "dnsredir/state/updater.h"

struct server_state {
    struct updater *updater;    /* NULL: the settings name no folder */
    struct bound *bound;        /* of the current world */
    void (*changed)(void *arg); /* `bound` has: make a world of it */
    /* See on_drain of updater.h. */
    void (*remembered)(void *arg, uint64_t ticket, bool good);
    void *arg;
};

/* Opens what an earlier process left, if the settings name it; tells the roster who was drained.
 * The updater is not started yet. 0, or an error that is in the log. */
int state_open(struct server_state *state, const struct settings *settings, struct publish *publish,
               uv_loop_t *loop, struct roster *roster);

#endif
