/*
 * resolver - answers for the names that are not ours, to the clients that may ask for them. A
 * thread of its own, with its own loop, between the workers and the recursor: workers hand over
 * what answer() deferred and go on; the answer comes back to the worker's loop by its inbox.
 *
 * At most `outstanding` questions are open in all, and `per-client` of one client (IPv4 address or
 * IPv6 /64) wait: see askers.h; more are answered SERVFAIL at once. One that takes longer than
 * `timeout` is answered SERVFAIL, and stays open until the recursor is through with it.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_RESOLVER_H
#define LARDER_DNSREDIR_RESOLVER_RESOLVER_H

#include "base/buf.h"
#include "dnsredir/resolver/recursor.h"
#include "dnsredir/worker.h"

/* Where an answer goes: made by the listener that took the query, who embeds it at the front of a
 * block of its own. */
struct ticket {
    struct worker *worker; /* of the listener */
    /* On the worker's loop, once; frees the ticket. The answer is valid until it returns. */
    void (*answered)(struct ticket *ticket, struct span answer);
};

struct resolver;

/* Starts the thread; nothing is resolved before resolver_adopt(). */
struct resolver *resolver_open(void);
/* Ends the thread; no worker hands over any more, and inboxes still exist. Tickets are freed. Waits
 * for the recursor. Accepts NULL; sets *resolver to NULL. */
void resolver_close(struct resolver **resolver);

/* From now on by these limits, and with *recursor, which it takes (sets to NULL) unless that is
 * the same as the one at work, whose cache then stays. Control thread. */
void resolver_adopt(struct resolver *resolver, struct recursor **recursor,
                    const struct resolver_limits *limits);

/* A worker, whose deferral answer() has just filled from `packet` and `room`, hands the query over.
 * 0: the answer comes later, to the ticket. Else the length of the answer in `room`, which says
 * that there are too many; the ticket is not used. */
size_t resolver_take(struct resolver *resolver, const struct asker *asker,
                     const struct answer_note *note, struct span packet, void *room,
                     struct ticket *ticket);

/* The metrics of the thread. Any thread. */
void resolver_metrics(const struct resolver *resolver, struct buf *out);
/* Questions that are open. Any thread. */
size_t resolver_outstanding(const struct resolver *resolver);

/* ---- inboxes ---- */

/* Where answers come back to a worker. Opened before its loop runs. */
struct inbox;

struct inbox *inbox_open(struct worker *worker);
/* On the worker's loop: nothing is delivered any more. */
void inbox_close(struct inbox *inbox);
/* After the loop has ended and the resolver is closed. Accepts NULL; sets *inbox to NULL. */
void inbox_free(struct inbox **inbox);

#endif
