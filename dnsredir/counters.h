/*
 * counters - what each worker of the redirector counts. Written by its thread alone; any may read.
 */
#ifndef LARDER_DNSREDIR_COUNTERS_H
#define LARDER_DNSREDIR_COUNTERS_H

#include "base/metrics.h"
#include "dnsredir/answer/answer.h"
#include "dnsredir/latency.h"

/* clang-format off */
#define DNS_COUNTERS(X)                                                                            \
    X(udp_queries,      COUNTER, "Packets received by UDP")                                        \
    X(udp_oversized,    COUNTER, "UDP packets too large to be read (over 2048 bytes)")             \
    X(udp_waits,        COUNTER, "Times that a busy worker waited for UDP queries alone")          \
    X(tcp_queries,      COUNTER, "Messages received by TCP")                                       \
    X(dropped,          COUNTER, "Packets without an answer: responses and incomplete headers") \
    X(send_failures,    COUNTER, "UDP answers the kernel did not take")                            \
    X(edns_queries,     COUNTER, "Queries with an OPT record")                                     \
    X(ecs_queries,      COUNTER, "Queries with a client subnet")                                   \
    X(cookie_queries,   COUNTER, "Queries with a cookie")                                           \
    X(cookies_good,     COUNTER, "Queries with a valid server cookie")                      \
    X(steered_answers,  COUNTER, "Answers whose addresses a policy chose")                         \
    X(measured_answers, COUNTER, "Answers by measured round trips")                                \
    X(explored_answers, COUNTER, "Answers that try another replica to measure it")                 \
    X(spilled_answers,  COUNTER, "Answers for which a better replica was too full")                \
    X(full_answers,     COUNTER, "Answers with a full replica because all were too full")          \
    X(draining_answers, COUNTER, "Answers with a draining replica because only those were up")     \
    X(all_down_answers, COUNTER, "Answers with the best known replica because none was up")        \
    X(dnssec_queries,   COUNTER, "Queries that asked for signatures")                              \
    X(limited_dropped,  COUNTER, "UDP answers dropped by rate limiting")       \
    X(limited_slipped,  COUNTER, "UDP answers truncated by rate limiting")     \
    X(truncated,        COUNTER, "UDP answers that did not fit and asked for TCP")                 \
    X(log_dropped,      COUNTER, "Queries missing in the query log because its file was too slow")  \
    X(unresolved,       COUNTER, "Queries for the resolver answered SERVFAIL: too many are open")    \
    X(tsig_good,        COUNTER, "Signed messages whose signature was good")                       \
    X(tsig_bad,         COUNTER, "Signed messages whose signature was not good, late or repeated") \
    X(updates,          COUNTER, "Updates received")                                               \
    X(updates_made,     COUNTER, "Updates that were answered NOERROR, after their commit")         \
    X(updates_busy,     COUNTER, "Updates answered SERVFAIL because too many waited to be written")\
    X(tcp_accepted,     COUNTER, "TCP connections accepted")                                       \
    X(tcp_timeouts,     COUNTER, "TCP connections closed for being idle or slow")                  \
    X(tcp_evicted,      COUNTER, "TCP connections closed to make room for others")                 \
    X(tcp_client_evicted, COUNTER, "TCP connections closed because their network had too many")      \
    X(tcp_connections,  GAUGE,   "TCP connections that are open")
/* clang-format on */

enum { RCODE_COUNT = 24 }; /* 0..23 */

struct counters {
    METRIC_FIELDS(DNS_COUNTERS)
    metric_value rcodes[RCODE_COUNT];
    metric_value signatures[SIGNED_HOWS]; /* by how they came to be (signer.h) */
    metric_value policies[POLICY_KINDS];  /* steered answers by policy */
    metric_value replicas[REPLICAS_MAX];  /* answers with each replica, by its slot (roster.h) */
    struct latency latency; /* of UDP queries: each counts as long as its batch took */
    struct histogram batch; /* from reading a batch of UDP queries to having sent its answers */
};

extern const struct metric counter_rows[];

/* The text of an rcode: "NXDOMAIN", or a number. */
const char *counters_rcode(unsigned rcode);

/* Counts one answer; `len` 0: none was given. Only by the thread that owns the counters. */
void counters_note(struct counters *counters, const struct answer_note *note, size_t len);

#endif
