#include "proxy/mirror/counts.h"

#include "base/check.h"

static const struct mirror_count *find(const struct mirror_counts *counts, struct span path)
{
    size_t count = atomic_load_explicit(&counts->count, memory_order_acquire);

    for (size_t i = 0; i < count; i++) {
        if (span_eq(span_of(counts->at[i].path, counts->at[i].path_len), path)) {
            return &counts->at[i];
        }
    }
    return NULL;
}

static struct mirror_count *find_or_add(struct mirror_counts *counts, struct span path)
{
    const struct mirror_count *found = find(counts, path);
    size_t count = atomic_load_explicit(&counts->count, memory_order_relaxed);

    if (found) {
        return &counts->at[found - counts->at];
    }
    if (count == MIRROR_COUNTS_MAX || path.len > MIRROR_COUNTS_PATH) {
        return NULL;
    }
    struct mirror_count *added = &counts->at[count];
    memcpy(added->path, path.at, path.len);
    added->path_len = path.len;
    atomic_store_explicit(&counts->count, count + 1, memory_order_release);
    return added;
}

void mirror_counts_add(struct mirror_counts *counts, struct span path, bool hit, uint64_t sent)
{
    struct mirror_count *count = find_or_add(counts, path);

    if (count) {
        metric_add(&count->requests, 1);
        metric_add(&count->hits, hit);
        metric_add(&count->sent_bytes, sent);
        metric_add(&count->hit_sent_bytes, hit ? sent : 0);
    }
}

/* ---- for the administrator ---- */

struct mirror_sum mirror_counts_sum(const struct mirror_counts *const *workers, size_t count,
                                    struct span path)
{
    struct mirror_sum sum = {0};

    for (size_t i = 0; i < count; i++) {
        const struct mirror_count *found = find(workers[i], path);
        if (found) {
            sum.requests += metric_get(&found->requests);
            sum.hits += metric_get(&found->hits);
            sum.sent_bytes += metric_get(&found->sent_bytes);
            sum.hit_sent_bytes += metric_get(&found->hit_sent_bytes);
        }
    }
    return sum;
}

static uint64_t requests_of(const struct mirror_sum *sum)
{
    return sum->requests;
}

static uint64_t hits_of(const struct mirror_sum *sum)
{
    return sum->hits;
}

static uint64_t sent_by(const struct mirror_sum *sum)
{
    return sum->sent_bytes;
}

static uint64_t sent_by_hits(const struct mirror_sum *sum)
{
    return sum->hit_sent_bytes;
}

/* Does an earlier worker have the path, too? */
static bool is_told(const struct mirror_counts *const *workers, size_t before, struct span path)
{
    for (size_t i = 0; i < before; i++) {
        if (find(workers[i], path)) {
            return true;
        }
    }
    return false;
}

static void write_family(const struct mirror_counts *const *workers, size_t count, struct buf *out,
                         const char *name, const char *help,
                         uint64_t (*value)(const struct mirror_sum *sum))
{
    metrics_head(out, "larder_", name, METRIC_COUNTER, help);
    for (size_t i = 0; i < count; i++) {
        size_t paths = atomic_load_explicit(&workers[i]->count, memory_order_acquire);
        for (size_t j = 0; j < paths; j++) {
            const struct mirror_count *one = &workers[i]->at[j];
            struct span path = span_of(one->path, one->path_len);
            if (!is_told(workers, i, path)) {
                struct mirror_sum sum = mirror_counts_sum(workers, count, path);
                metrics_sample(out, "larder_", name, METRIC_COUNTER, "mirror", path, value(&sum));
            }
        }
    }
}

void mirror_counts_write(const struct mirror_counts *const *workers, size_t count, struct buf *out)
{
    write_family(workers, count, out, "mirror_requests", "Requests for mirrors, by their paths",
                 requests_of);
    write_family(workers, count, out, "mirror_hits",
                 "Requests for mirrors answered without asking the origin", hits_of);
    write_family(workers, count, out, "mirror_sent_bytes", "Bytes sent to clients of mirrors",
                 sent_by);
    write_family(workers, count, out, "mirror_hit_sent_bytes",
                 "Bytes sent to clients of mirrors without asking the origin", sent_by_hits);
}
