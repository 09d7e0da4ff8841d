/*
 * purge - POST /purge of the admin listener: removes stored responses. Main thread only.
 *
 *   ?url=http%3A%2F%2Fa%2Fx[&header=Host%3A%20a]   one URL; further parameters as for /explain
 *   ?prefix=http%3A%2F%2Fa%2Fimg%2F                all URLs that begin with it
 *   ?host=a                                        one host, with any scheme and port
 *   ?all=yes                                       everything
 */
#ifndef LARDER_PROXY_ADMIN_PURGE_H
#define LARDER_PROXY_ADMIN_PURGE_H

#include "proxy/admin/status.h"

struct purging;

/* Who waits for a purge. Part of the request; zeroed before use. */
struct purge_waiter {
    /* The answer is in `out`, and this is its HTTP status. Called once, never from inside
     * purge_begin(). */
    void (*answer)(struct purge_waiter *waiter, int status);
    struct buf *out;
    struct purging *purging; /* the purge in progress; NULL: none */
};

/* Begins a purge. Returns the HTTP status when the answer is known at once and in waiter->out; or
 * 0, and waiter->answer() is called when the purge is durable. */
int purge_begin(const struct status_query *query, struct purge_waiter *waiter);
/* The waiter goes away. The purge goes on. Does nothing when no purge is in progress. */
void purge_leave(struct purge_waiter *waiter);

/* To be called before the loop ends: waits until all answers have been posted to it. */
void purge_settle(struct server *server);

#endif
