/*
 * purge - POST /purge of the admin listener: what is stored is to be gone. On the main thread.
 *
 *   ?url=http%3A%2F%2Fa%2Fx[&header=Host%3A%20a]   a URL, as /explain is asked about it
 *   ?prefix=http%3A%2F%2Fa%2Fimg%2F                all that begins so
 *   ?host=a                                        all of a host, whatever the scheme and port
 *   ?all=yes                                       everything
 */
#ifndef LARDER_PROXY_PURGE_H
#define LARDER_PROXY_PURGE_H

#include "proxy/status.h"

struct purging;

/* Who has asked. Lives in the request; zeroed before. */
struct purge_waiter {
    /* The answer is in `out`, and its status. Called once, outside any other handler. */
    void (*answer)(struct purge_waiter *waiter, int status);
    struct buf *out;
    struct purging *purging; /* under way; NULL: none */
};

/* The status, with the answer in waiter->out; or 0: waiter->answer() comes when it is durable. */
int purge_begin(const struct status_query *query, struct purge_waiter *waiter);
/* Nobody waits any more; what was begun goes on. Harmless when nothing is under way. */
void purge_leave(struct purge_waiter *waiter);

/* Before the loop ends: the answers that are still to come have been posted to it. */
void purge_settle(struct server *server);

#endif
