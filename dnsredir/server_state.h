/*
 * server_state - the control loop's part of what outlives the process. Belongs to that loop.
 */
#ifndef LARDER_DNSREDIR_SERVER_STATE_H
#define LARDER_DNSREDIR_SERVER_STATE_H

#include "dnsredir/health/roster.h"
#include "dnsredir/state/updater.h"

struct server_state {
    struct updater *updater;         /* NULL: the settings name no folder for it */
    struct dynamic_records *dynamic; /* of the current snapshot */
    void (*changed)(void *arg); /* called when `dynamic` has changed, to publish a new snapshot */
    /* on_drain of updater.h. */
    void (*remembered)(void *arg, uint64_t ticket, bool good);
    void *arg;
};

/* Opens what an earlier process has left, if the settings name a folder, and tells the roster which
 * replicas were drained. Does not start the updater yet. Returns 0, or an error that is in the log.
 */
int state_open(struct server_state *state, const struct settings *settings, struct publish *publish,
               uv_loop_t *loop, struct roster *roster);

#endif
