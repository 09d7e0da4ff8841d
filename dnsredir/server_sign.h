/*
 * server_sign - keeps the signatures of the settings, and makes them anew before they expire, on a
 * thread of the pool. Belongs to the control loop.
 */
#ifndef LARDER_DNSREDIR_SERVER_SIGN_H
#define LARDER_DNSREDIR_SERVER_SIGN_H

#include "dnsredir/config/directives.h"

#include <uv.h>

struct server_sign {
    struct signatures *current; /* of the current settings; NULL: no zone of theirs is signed */
    void (*changed)(void *arg); /* called when `current` was replaced */
    void *arg;

    /* private */
    uv_work_t work;
    bool busy, stopped;
    struct settings *settings; /* the ones that are being signed */
    unsigned *holders;
    struct signatures *fresh;
};

/* Starts to sign the current settings anew, if it is time. To be called now and then. */
void server_sign_check(struct server_sign *signing, uv_loop_t *loop, struct settings *settings,
                       unsigned *holders);
/* Takes over `signatures`, which are of other settings; those that are being made are dropped. */
void server_sign_adopt(struct server_sign *signing, struct signatures *signatures);
/* Drops those that are being made; `changed` is not called any more. */
void server_sign_stop(struct server_sign *signing);

#endif
