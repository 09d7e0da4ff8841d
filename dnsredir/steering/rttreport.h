/*
 * rttreport - parses a replica's report of round-trip times to its clients' networks, piece by
 * piece (the format is drawn in proxy/roundtrips.h). Pure; nothing of it is trusted.
 */
#ifndef LARDER_DNSREDIR_STEERING_RTTREPORT_H
#define LARDER_DNSREDIR_STEERING_RTTREPORT_H

#include "base/network.h"

enum {
    RTT_LINE_MAX = 128,   /* bytes of a line */
    RTT_LINES_MAX = 2000, /* lines of a report, beside the first */
    RTT_US_MAX = 60000000,
    RTT_SAMPLES_MAX = 65535,
    RTT_AGE_MAX = 30 * 86400, /* s */
};

/* One network as one replica sees it. */
struct rtt_line {
    uint64_t network; /* base/network.h */
    uint32_t us;      /* 1..RTT_US_MAX */
    uint32_t samples; /* 1..RTT_SAMPLES_MAX */
    uint32_t age;     /* s since the last sample, up to RTT_AGE_MAX */
};

typedef void rtt_visit(void *arg, const struct rtt_line *line);

struct rtt_reader {
    rtt_visit *visit;
    void *arg;
    char line[RTT_LINE_MAX];
    size_t len; /* of the line that has begun */
    unsigned lines;
    bool has_head;
    bool more;      /* the replica has more, at once */
    uint64_t epoch; /* identifies one run of the replica */
    uint64_t next;  /* where to go on when it is asked again */
};

/* Begins a report; `visit` will be called for every line. */
void rtt_reader_begin(struct rtt_reader *reader, rtt_visit *visit, void *arg);
/* Takes bytes that have arrived. Returns 0; ERR_SYNTAX: it is no such report, and nothing behind
 * the fault is read; ERR_TOO_LARGE: it has too many lines. */
int rtt_reader_take(struct rtt_reader *reader, struct span bytes);
/* To be called after the last byte. Returns 0, or ERR_TRUNCATED: the report ended in the middle of
 * a line, or before the first one. */
int rtt_reader_end(const struct rtt_reader *reader);

#endif
