#include "bench/hitratio/run.h"

static double percent(uint64_t part, uint64_t of)
{
    return of ? 100.0 * (double)part / (double)of : 0;
}

static struct policy_cost cost_of(const struct policy *policy, const void *cache)
{
    return policy->cost ? policy->cost(cache) : (struct policy_cost){0};
}

struct outcome run(const struct policy *policy, const struct trace *trace, uint64_t capacity,
                   size_t warm_up)
{
    uint64_t hits = 0, bytes = 0, hit_bytes = 0;
    struct policy_cost before = {0};
    void *cache = policy->make(trace, capacity);

    for (size_t i = 0; i < trace->count; i++) {
        if (i == warm_up) {
            before = cost_of(policy, cache);
        }
        uint64_t size = trace->sizes[trace->requests[i]];
        bool hit = policy->request(cache, i);
        if (i >= warm_up) {
            hits += hit;
            bytes += size;
            hit_bytes += hit ? size : 0;
        }
    }
    struct policy_cost after = cost_of(policy, cache);
    policy->drop(cache);
    return (struct outcome){
        .objects = percent(hits, trace->count - warm_up),
        .bytes = percent(hit_bytes, bytes),
        .copied = percent(after.copied - before.copied, after.inserted - before.inserted),
    };
}
