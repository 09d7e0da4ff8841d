/*
 * dnsstatus - what larder-dns says of its replicas, for the dashboard: so that the page asks this
 * process only. Asked for when somebody looks, at most every two seconds, on the main thread's
 * loop.
 */
#ifndef LARDER_PROXY_DNSSTATUS_H
#define LARDER_PROXY_DNSSTATUS_H

#include "proxy/directives.h"
#include "proxy/stream/loop.h"

struct dnsstatus;

struct dnsstatus *dnsstatus_new(struct loop *loop);
/* A question under way is given up. Accepts NULL; sets it to NULL. */
void dnsstatus_free(struct dnsstatus **status);

/* The newest answer of the redirector whose administrative address this is. */
struct dnsstatus_answer {
    struct span text;  /* JSON; borrowed until the loop turns; empty: none yet */
    int64_t when;      /* it came, seconds since 1970 */
    const char *error; /* what went wrong the last time; NULL: nothing */
};
/* Tells it, and asks anew when it is old. */
struct dnsstatus_answer dnsstatus_ask(struct dnsstatus *status, const struct endpoint *at);

#endif
