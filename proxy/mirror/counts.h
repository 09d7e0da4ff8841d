/*
 * counts - what one worker has answered for each mirror. Written by its thread, read by any. Has
 * the first MIRROR_COUNTS_MAX paths that were requested; they survive reloads.
 */
#ifndef LARDER_PROXY_MIRROR_COUNTS_H
#define LARDER_PROXY_MIRROR_COUNTS_H

#include "base/metrics.h"
#include "base/span.h"

enum { MIRROR_COUNTS_MAX = 32, MIRROR_COUNTS_PATH = 64 };

struct mirror_count {
    char path[MIRROR_COUNTS_PATH];
    size_t path_len;
    metric_value requests, hits, sent_bytes, hit_sent_bytes;
};

struct mirror_counts {
    _Atomic size_t count; /* entries in use, of which only the numbers change */
    struct mirror_count at[MIRROR_COUNTS_MAX];
};

void mirror_counts_add(struct mirror_counts *counts, struct span path, bool hit, uint64_t sent);

/* Sums over all workers for one path. */
struct mirror_sum {
    uint64_t requests, hits, sent_bytes, hit_sent_bytes;
};

struct mirror_sum mirror_counts_sum(const struct mirror_counts *const *workers, size_t count,
                                    struct span path);

/* Writes four metric families, with a sample for each path of any worker. */
void mirror_counts_write(const struct mirror_counts *const *workers, size_t count, struct buf *out);

#endif
