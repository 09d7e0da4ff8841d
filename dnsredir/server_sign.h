/*
 * server_sign - keeps the signatures of the settings, and makes them anew, on a thread of its own,
 * before they expire. For the control loop alone.
 */
#ifndef LARDER_DNSREDIR_SERVER_SIGN_H
#define LARDER_DNSREDIR_SERVER_SIGN_H

#include "dnsredir/config/directives.h"

#include <uv.h>

struct resign {
    struct signatures *current; /* of the current settings; NULL: no zone of theirs is signed */
    void (*changed)(void *arg); /* `current` is another one now */
    void *arg;

    /* private */
    uv_work_t work;
    bool busy, stopped;
    struct settings *settings; /* those that are being signed */
    unsigned *holders;
    struct signatures *fresh;
};

/* To be called now and then: when it is time, starts to make those of `settings`, the current
 * ones. */
void resign_check(struct resign *resign, uv_loop_t *loop, struct settings *settings,
                  unsigned *holders);
/* Of other settings: takes over `signatures`; what is being made is dropped. */
void resign_adopt(struct resign *resign, struct signatures *signatures);
/* What is being made is dropped; `changed` is not called any more. */
void resign_stop(struct resign *resign);

#endif
