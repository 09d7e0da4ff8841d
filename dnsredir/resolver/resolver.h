/*
 * resolver - answers for names that are not ours, for the clients that may ask for them. It is a
 * thread with a loop of its own between the workers and the recursor: workers hand over the queries
 * that answer() deferred, and go on; the answers come back to the worker's loop through its inbox.
 *
 * At most `outstanding` questions are open in all, and at most `per-client` of one client (IPv4
 * address or IPv6 /64) wait; see client_quota.h. What exceeds that is answered SERVFAIL at once. A
 * question that takes longer than `timeout` is answered SERVFAIL, but stays open until the recursor
 * has finished with it.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_RESOLVER_H
#define LARDER_DNSREDIR_RESOLVER_RESOLVER_H

#include "base/buf.h"
#include "dnsredir/resolver/recursor.h"
#include "dnsredir/worker.h"

/* Where an answer goes. The listener that received the query embeds it as the first member of a
 * block from malloc(). */
struct ticket {
    struct worker *worker; /* of the listener */
    /* Called once, on the worker's loop; frees the ticket. The answer is valid until it returns. */
    void (*answered)(struct ticket *ticket, struct span answer);
};

struct resolver;

/* Starts the thread. Nothing is resolved before resolver_adopt(). */
struct resolver *resolver_open(void);
/* Ends the thread, waits for the recursor, and frees the tickets. No worker may hand over queries
 * any more, and the inboxes must still exist. Accepts NULL; sets *resolver to NULL. */
void resolver_close(struct resolver **resolver);

/* Applies new limits and a new recursor. It takes over *recursor and sets it to NULL, unless that
 * would resolve as the current one does (recursor_same()), which then goes on with its cache. For
 * the control thread. */
void resolver_adopt(struct resolver *resolver, struct recursor **recursor,
                    const struct resolver_limits *limits);

/* Hands over a query for which answer() has just filled the worker's deferral, from `packet` and
 * `room`. Returns 0: the answer will come to the ticket; or, if too many are open, the length of a
 * SERVFAIL answer in `room`, and the ticket is not used. For a worker's thread. */
size_t resolver_take(struct resolver *resolver, const struct client *client,
                     const struct answer_note *note, struct span packet, void *room,
                     struct ticket *ticket);

/* Appends the metrics of the resolver. For any thread. */
void resolver_metrics(const struct resolver *resolver, struct buf *out);
/* How many questions are open. For any thread. */
size_t resolver_outstanding(const struct resolver *resolver);

/* ---- inboxes ---- */

/* Where answers come back to a worker. */
struct inbox;

/* To be opened before the worker's loop runs. */
struct inbox *inbox_open(struct worker *worker);
/* Drops what comes from now on. For the worker's loop. */
void inbox_close(struct inbox *inbox);
/* To be called after the loop has ended and the resolver is closed. Accepts NULL; sets *inbox to
 * NULL. */
void inbox_free(struct inbox **inbox);

#endif
