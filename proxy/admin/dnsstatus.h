/*
 * dnsstatus - what larder-dns says about its replicas, fetched for the dashboard, so that the page
 * needs to ask only this process. Fetched on demand, at most every two seconds, on the main
 * thread's loop.
 */
#ifndef LARDER_PROXY_ADMIN_DNSSTATUS_H
#define LARDER_PROXY_ADMIN_DNSSTATUS_H

#include "proxy/config/directives.h"
#include "proxy/stream/loop.h"

struct dnsstatus;

struct dnsstatus *dnsstatus_new(struct loop *loop);
/* Cancels a request in progress. Accepts NULL; sets *status to NULL. */
void dnsstatus_free(struct dnsstatus **status);

/* The latest answer. */
struct dnsstatus_answer {
    struct span text;  /* JSON, borrowed until the loop's next turn; empty: none so far */
    int64_t when;      /* when it came, in seconds since 1970 */
    const char *error; /* why the last request failed; NULL: it did not */
};
/* Returns the latest answer of the larder-dns whose admin listener is `at`, and asks it again when
 * that is old. */
struct dnsstatus_answer dnsstatus_ask(struct dnsstatus *status, const struct endpoint *at);

#endif
