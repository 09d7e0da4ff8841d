/*
 * zipf - traces made up, the same ones every time: Zipf popularity, objects asked for only once,
 * a population that changes slowly, at once, or by day and night, loops and scans through it all,
 * stories that are read for a while, sizes as the web has them.
 */
#ifndef LARDER_BENCH_HITRATIO_ZIPF_H
#define LARDER_BENCH_HITRATIO_ZIPF_H

#include "bench/hitratio/trace.h"

struct zipf {
    uint64_t objects; /* alive at the same time */
    uint64_t requests;
    double alpha;    /* the object of rank r is asked for like r^-alpha */
    double once;     /* percent of the requests: for objects that never come again */
    double drift;    /* percent of the objects that a new one takes the place of, in all */
    uint64_t shifts; /* how often all of them are replaced at once */
    uint64_t days;   /* two populations have half of each day; 0: there is one */
    double loop;     /* percent of the requests: one after the other round a ring of `ring` */
    uint64_t ring;
    uint64_t rings; /* so many in place of one, each a quarter of the one before */
    uint64_t scans; /* how often the first ring is asked for from end to end, and nothing else */
    double stories; /* percent of the requests: for objects that are asked for less and less, and
                     * after a fortieth of the trace no more; in all as many as `objects` */
    bool sized;     /* lognormal, median 8 KiB, mean 34 KiB, at most 16 MiB; else 1 each */
    uint64_t seed;
};

/* Reads `name=value,...` over the defaults, names as above (sized is 0 or 1). False: *wrong is what
 * was not understood. */
bool zipf_parse(struct span text, struct zipf *out, struct span *wrong);

void zipf_make(const struct zipf *zipf, struct trace *trace);

#endif
