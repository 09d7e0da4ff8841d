/*
 * larder - the store's own policy (cache/store/s3fifo.h) over simulated segments.
 *
 * As the store does it: what is new is appended to the open segment of the log the policy names;
 * when there is no room for another segment, the oldest of the log the policy names is given up and
 * its objects are judged; those kept are appended to the main log. An object larger than what is
 * left in a segment goes on in the next one, and belongs to the one it begins in.
 */
#ifndef LARDER_BENCH_HITRATIO_LARDER_H
#define LARDER_BENCH_HITRATIO_LARDER_H

#include "bench/hitratio/policy.h"
#include "cache/store/s3fifo.h"

#define LARDER_SEGMENTS 128

/* A store of that many segments. policy_larder makes one of LARDER_SEGMENTS. */
void *larder_make(const struct trace *trace, uint64_t capacity, unsigned segments,
                  enum s3_favor favor);

#endif
