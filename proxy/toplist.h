/*
 * toplist - the busiest hosts and clients of one worker, and what it could not save by host and
 * reason.
 *
 * For the dashboard. Memory is bounded; what is older than one to two hours is forgotten.
 * toplist_add() and toplist_publish() are for the worker's loop only, toplist_read() is
 * thread-safe. Readers see what was added before the last toplist_publish(), which the worker calls
 * once a second, so that no request takes a lock.
 */
#ifndef LARDER_PROXY_TOPLIST_H
#define LARDER_PROXY_TOPLIST_H

#include "base/prefix.h"
#include "base/topk.h"
#include "cache/decision.h"
#include "http/uri.h"

struct toplist;

/* What is counted by which key:
 * HOSTS:   the host, with its port unless that is the default of its scheme.
 * CLIENTS: the 16 bytes of struct ip.
 * SAVABLE: one byte, enum reason (see decision_is_savable()), then the host. */
enum toplist_kind { TOPLIST_HOSTS, TOPLIST_CLIENTS, TOPLIST_SAVABLE, TOPLIST_KINDS };

enum toplist_count {
    TOPLIST_REQUESTS,
    TOPLIST_HITS,
    TOPLIST_BYTES,     /* sent to clients */
    TOPLIST_HIT_BYTES, /* the part of TOPLIST_BYTES that needed no origin */
    TOPLIST_DENIED,
    TOPLIST_ASKED,       /* requests that were sent to an origin, tunnels included */
    TOPLIST_ASKED_US,    /* how long the origins took for them in all, in µs, without tunnels */
    TOPLIST_TIMED,       /* how many requests TOPLIST_ASKED_US adds up */
    TOPLIST_UNREACHED,   /* requests that reached no origin: no address, no connection, or no TLS */
    TOPLIST_FAILED,      /* responses that were incomplete or had a status from 500 to 599 */
    TOPLIST_LAST_FAILED, /* when the last failure was, in seconds since 1970; 0: never */
    TOPLIST_LAST_REASON, /* enum reason of the last failure, or TOPLIST_STATUS + its status */
    TOPLIST_COUNTS,
};
_Static_assert((int)TOPLIST_COUNTS <= (int)TOPK_COUNTS, "each has a place");
enum { TOPLIST_STATUS = 1000 };

/* A request that has ended. Borrowed during the call. */
struct toplist_request {
    const struct decision *decision;
    const struct uri *uri; /* without a host it counts for the client only */
    const struct ip *client;
    int status;
    uint64_t bytes, elapsed_us;
    int64_t when; /* seconds since 1970 */
};

struct toplist *toplist_new(int64_t now);
void toplist_free(struct toplist **toplist); /* accepts NULL */
void toplist_add(struct toplist *toplist, const struct toplist_request *request);
/* Shows readers what was added so far. Call it about once a second; `now` is in seconds since 1970,
 * like that of toplist_new(). */
void toplist_publish(struct toplist *toplist, int64_t now);

/* Adds the worker's counts to `rows`, which the caller gives to topk_rows_merge() with
 * toplist_merge() and then to topk_rows_fini(). Returns since when they have been counted, in
 * seconds since 1970. */
int64_t toplist_read(struct toplist *toplist, enum toplist_kind kind, struct topk_rows *rows);
void toplist_merge(uint64_t *into, const uint64_t *from);

#endif
