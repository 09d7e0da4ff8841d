/*
 * rttpull - asks one replica for the round-trip times that it has measured, between two probes and
 * on the same connection: when, with which request, and what came of it. Pure; times are the
 * loop's, in ms.
 */
#ifndef LARDER_DNSREDIR_HEALTH_RTTPULL_H
#define LARDER_DNSREDIR_HEALTH_RTTPULL_H

#include "dnsredir/health/reply.h"
#include "dnsredir/steering/rttreport.h"

/* After how many intervals a replica is asked again that has no such report, or gave a bad one. */
enum { RTT_PULL_PATIENCE = 10, RTT_PULL_REQUEST_MAX = 512 };

struct rtt_pull {
    bool under_way;
    uint64_t epoch, next; /* where to go on, as the replica said last (rttreport.h) */
    uint64_t due;         /* when to ask again */
    const char *fault;    /* static text; NULL: the last report was good, or there was none */
    uint64_t reports, lines;
    struct rtt_reader reader;
    char request[RTT_PULL_REQUEST_MAX];
};

/* Begins a request: pull->request is to be sent. `host` is the value of its Host field. */
void rtt_pull_begin(struct rtt_pull *pull, const char *host, rtt_visit *visit, void *arg);
/* Takes what reply_take(), which returned `done`, has brought. Returns true when the request is
 * over, well or not (pull->fault). The next one is due after `interval`, or at once if the replica
 * has more. */
bool rtt_pull_take(struct rtt_pull *pull, const struct reply *reply, int done, uint64_t now,
                   uint64_t interval);
/* Ends a request that is under way, if any, because the connection is gone. */
void rtt_pull_break(struct rtt_pull *pull, const char *fault, uint64_t now, uint64_t interval);
/* Goes on where `before` was. */
void rtt_pull_adopt(struct rtt_pull *pull, const struct rtt_pull *before);

#endif
