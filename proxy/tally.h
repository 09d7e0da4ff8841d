/*
 * tally - whom one worker serves, and from where: its busiest hosts and clients, and what it could
 * not save, by host and reason. In memory that does not grow, for the dashboard.
 *
 * tally_add() and tally_publish() belong to the worker's loop, tally_read() to any thread. What has
 * been added is seen by others after tally_publish(), which the worker does once a second: nothing
 * is locked for a request. What is older than one to two hours is forgotten.
 */
#ifndef LARDER_PROXY_TALLY_H
#define LARDER_PROXY_TALLY_H

#include "base/prefix.h"
#include "base/topk.h"
#include "cache/decision.h"
#include "http/uri.h"

struct tally;

/* Keys, and what is counted of them:
 * HOSTS:   the host, with its port if that is not its scheme's.
 * CLIENTS: the 16 bytes of struct ip.
 * SAVABLE: a byte, enum reason (decision_is_savable()), then the host. */
enum tally_kind { TALLY_HOSTS, TALLY_CLIENTS, TALLY_SAVABLE, TALLY_KINDS };

enum tally_count {
    TALLY_REQUESTS,
    TALLY_HITS,
    TALLY_BYTES,     /* sent to clients */
    TALLY_HIT_BYTES, /* of these, without asking an origin */
    TALLY_DENIED,
    TALLY_ASKED,       /* requests for which the origin was asked, tunnels included */
    TALLY_ASKED_US,    /* what these took, without tunnels */
    TALLY_TIMED,       /* as many they were */
    TALLY_UNREACHED,   /* of those asked: no address, no connection, no TLS */
    TALLY_FAILED,      /* no whole answer, and the answers 500 to 599 */
    TALLY_LAST_FAILED, /* when that was, seconds since 1970; 0: never */
    TALLY_LAST_REASON, /* and enum reason, or 1000 + the status */
    TALLY_COUNTS,
};
_Static_assert((int)TALLY_COUNTS <= (int)TOPK_COUNTS, "each has a place");
enum { TALLY_STATUS = 1000 };

/* One request that has ended; borrowed during the call. */
struct tally_request {
    const struct decision *decision;
    const struct uri *uri; /* without a host it is counted for the client only */
    const struct ip *client;
    int status;
    uint64_t bytes, elapsed_us;
    int64_t when; /* seconds since 1970 */
};

struct tally *tally_new(int64_t now);
void tally_free(struct tally **tally); /* accepts NULL */
void tally_add(struct tally *tally, const struct tally_request *request);
/* About once a second; `now` as above. */
void tally_publish(struct tally *tally, int64_t now);

/* Adds its places to the rows (topk_rows_merge() with tally_merge(), then topk_rows_fini()).
 * Returns since when it has counted them. */
int64_t tally_read(struct tally *tally, enum tally_kind kind, struct topk_rows *rows);
void tally_merge(uint64_t *into, const uint64_t *from);

#endif
