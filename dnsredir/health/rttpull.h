/*
 * rttpull - asking one replica for the round-trip times it has measured, between two probes and by
 * the same connection: when, with what words, and what came of it. Pure; times are the loop's, ms.
 */
#ifndef LARDER_DNSREDIR_HEALTH_RTTPULL_H
#define LARDER_DNSREDIR_HEALTH_RTTPULL_H

#include "dnsredir/health/reply.h"
#include "dnsredir/steering/rttreport.h"

/* Whoever has no such report, or a bad one, is asked again after so many intervals. */
enum { RTT_PULL_PATIENCE = 10, RTT_PULL_REQUEST_MAX = 512 };

struct rtt_pull {
    bool under_way;
    uint64_t epoch, next; /* what the replica said last */
    uint64_t due;         /* when to ask again */
    const char *fault;    /* static text; NULL: the last one was good, or there was none */
    uint64_t reports, lines;
    struct rtt_reader reader;
    char request[RTT_PULL_REQUEST_MAX];
};

/* Begins; pull->request is what to send. `host` for the field Host. */
void rtt_pull_begin(struct rtt_pull *pull, const char *host, rtt_visit *visit, void *arg);
/* Takes what a reply_take() has brought, which returned `done`. True: it is over, well or not
 * (pull->fault). `interval` is the time to the next one; more that is to be had is due at once. */
bool rtt_pull_take(struct rtt_pull *pull, const struct reply *reply, int done, uint64_t now,
                   uint64_t interval);
/* Ends one that is under way, if there is one: the connection is gone. */
void rtt_pull_break(struct rtt_pull *pull, const char *fault, uint64_t now, uint64_t interval);
/* What `before` knows, to go on with it. */
void rtt_pull_adopt(struct rtt_pull *pull, const struct rtt_pull *before);

#endif
