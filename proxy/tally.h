/*
 * tally - the busiest hosts and clients of one worker, and what it could not save by host and
 * reason.
 *
 * For the dashboard. Memory is bounded; what is older than one to two hours is forgotten.
 * tally_add() and tally_publish() are for the worker's loop only, tally_read() is thread-safe.
 * Readers see what was added before the last tally_publish(), which the worker calls once a second,
 * so that no request takes a lock.
 */
#ifndef LARDER_PROXY_TALLY_H
#define LARDER_PROXY_TALLY_H

#include "base/prefix.h"
#include "base/topk.h"
#include "cache/decision.h"
#include "http/uri.h"

struct tally;

/* What is counted by which key:
 * HOSTS:   the host, with its port unless that is the default of its scheme.
 * CLIENTS: the 16 bytes of struct ip.
 * SAVABLE: one byte, enum reason (see decision_is_savable()), then the host. */
enum tally_kind { TALLY_HOSTS, TALLY_CLIENTS, TALLY_SAVABLE, TALLY_KINDS };

enum tally_count {
    TALLY_REQUESTS,
    TALLY_HITS,
    TALLY_BYTES,     /* sent to clients */
    TALLY_HIT_BYTES, /* the part of TALLY_BYTES that needed no origin */
    TALLY_DENIED,
    TALLY_ASKED,       /* requests that were sent to an origin, tunnels included */
    TALLY_ASKED_US,    /* how long the origins took for them in all, in µs, without tunnels */
    TALLY_TIMED,       /* how many requests TALLY_ASKED_US adds up */
    TALLY_UNREACHED,   /* requests that reached no origin: no address, no connection, or no TLS */
    TALLY_FAILED,      /* responses that were incomplete or had a status from 500 to 599 */
    TALLY_LAST_FAILED, /* when the last failure was, in seconds since 1970; 0: never */
    TALLY_LAST_REASON, /* enum reason of the last failure, or TALLY_STATUS + its status */
    TALLY_COUNTS,
};
_Static_assert((int)TALLY_COUNTS <= (int)TOPK_COUNTS, "each has a place");
enum { TALLY_STATUS = 1000 };

/* A request that has ended. Borrowed during the call. */
struct tally_request {
    const struct decision *decision;
    const struct uri *uri; /* without a host it counts for the client only */
    const struct ip *client;
    int status;
    uint64_t bytes, elapsed_us;
    int64_t when; /* seconds since 1970 */
};

struct tally *tally_new(int64_t now);
void tally_free(struct tally **tally); /* accepts NULL */
void tally_add(struct tally *tally, const struct tally_request *request);
/* Shows readers what was added so far. Call it about once a second; `now` is in seconds since 1970,
 * like that of tally_new(). */
void tally_publish(struct tally *tally, int64_t now);

/* Adds the worker's counts to `rows`, which the caller gives to topk_rows_merge() with
 * tally_merge() and then to topk_rows_fini(). Returns since when they have been counted, in seconds
 * since 1970. */
int64_t tally_read(struct tally *tally, enum tally_kind kind, struct topk_rows *rows);
void tally_merge(uint64_t *into, const uint64_t *from);

#endif
