/*
 * ratelimit - response rate limiting: a network that is sent more of the same answers than it can
 * have asked for is the victim of somebody who forges its addresses.
 *
 * Two rates are limited: that of answers of one class about one subject to one client network (IPv4
 * /24, IPv6 /56), and that of all answers to one network, whatever they are about. Each has a token
 * bucket that fills at the rate and holds one second of it. The table of buckets has a fixed size
 * and no lock: each worker counts what it answers itself. A full bucket is the same as none, so
 * only an attack from many networks makes buckets be forgotten before they are full; those of the
 * busiest networks stay.
 */
#ifndef LARDER_DNSREDIR_ANSWER_RATELIMIT_H
#define LARDER_DNSREDIR_ANSWER_RATELIMIT_H

#include "base/prefix.h"

/* Settings: immutable. */
struct rate_limit {
    uint32_t responses, errors; /* per second, for each network and subject; 0: no limit */
    uint32_t network;           /* answers of any kind per second, for each network; 0: no limit */
    uint32_t slip; /* one in so many limited answers is sent nevertheless, but small; 0: none */
    struct prefix *exempt;
    size_t exempt_count;
};

enum limit_class { LIMIT_RESPONSE, LIMIT_ERROR };

enum limit_verdict {
    LIMIT_PASS,
    LIMIT_SLIP, /* an answer no larger than the query, with which a real client goes on */
    LIMIT_DROP,
};

/* One answer, to be counted. */
struct limit_case {
    const struct ip *client;
    enum limit_class class;
    const void *subject; /* the address of a name or a zone in memory; NULL: any */
    uint64_t now_us;     /* monotonic */
    uint32_t turn;       /* different for each query in all of its bits */
};

/* The buckets of one worker. Belongs to its thread. */
struct limiter;

struct limiter *limiter_new(void);
void limiter_free(struct limiter **limiter); /* accepts NULL; sets *limiter to NULL */

/* Counts one answer, and says whether it may be sent. */
enum limit_verdict limiter_ask(struct limiter *limiter, const struct rate_limit *limit,
                               const struct limit_case *what);

#endif
