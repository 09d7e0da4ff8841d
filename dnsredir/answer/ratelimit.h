/*
 * ratelimit - response rate limiting: whoever is sent more of the same answers than it can have
 * asked for is the victim of somebody who writes its address into queries.
 *
 * What is limited are answers of one class about one subject to one client network (IPv4 /24, IPv6
 * /56), and all that one network gets, about whatever many names it is asked. Each has a bucket
 * that fills at the rate and holds one second of it. The table of a worker
 * has a fixed size, and no lock: each worker counts what it answers by itself. A full bucket is the
 * same as none, so it is only under an attack from many networks that buckets are forgotten before
 * they are full; those of the busiest stay.
 */
#ifndef LARDER_DNSREDIR_ANSWER_RATELIMIT_H
#define LARDER_DNSREDIR_ANSWER_RATELIMIT_H

#include "base/prefix.h"

/* Settings: immutable. */
struct rate_limit {
    uint32_t responses, errors; /* per second, network and subject; 0: without limit */
    uint32_t network;           /* of all of them, per second and network; 0: without limit */
    uint32_t slip;              /* one in so many is answered all the same, small; 0: none */
    struct prefix *exempt;
    size_t exempt_count;
};

enum limit_class { LIMIT_RESPONSE, LIMIT_ERROR };

enum limit_verdict {
    LIMIT_PASS,
    LIMIT_SLIP, /* an answer that is not larger than the query, and lets a real client go on */
    LIMIT_DROP,
};

/* What is answered to whom. */
struct limit_case {
    const struct ip *client;
    enum limit_class class;
    const void *subject; /* a name or a zone, by its place in memory; NULL: anything */
    uint64_t now_us;     /* monotonic */
    uint32_t turn;       /* different for each query in all of its bits */
};

/* One worker's buckets: its thread's alone. */
struct limiter;

struct limiter *limiter_new(void);
void limiter_free(struct limiter **limiter); /* accepts NULL; sets *limiter to NULL */

/* Counts one answer. */
enum limit_verdict limiter_ask(struct limiter *limiter, const struct rate_limit *limit,
                               const struct limit_case *what);

#endif
