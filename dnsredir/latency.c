#include "dnsredir/latency.h"

#include <inttypes.h>

static const struct {
    uint64_t us;
    const char *seconds;
} bounds[LATENCY_BUCKETS] = {
    {5, "0.000005"},  {10, "0.00001"},  {25, "0.000025"}, {50, "0.00005"},
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {100000, "0.1"},  {250000, "0.25"}, {1000000, "1"},   {UINT64_MAX, "+Inf"},
};

void latency_observe(struct latency *latency, uint64_t us, uint64_t count)
{
    size_t i = 0;

    while (us > bounds[i].us) {
        i++;
    }
    metric_add(&latency->buckets[i], count);
    metric_add(&latency->sum_us, us * count);
}

void latency_write(struct buf *out, const char *name, const char *help, const void *const *owners,
                   size_t count, size_t at)
{
    uint64_t seen = 0;
    uint64_t sum = metrics_sum(owners, count, at + offsetof(struct latency, sum_us));

    metrics_head(out, "", name, METRIC_HISTOGRAM, help);
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += metrics_sum(owners, count, at + i * sizeof(metric_value));
        buf_printf(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, bounds[i].seconds, seen);
    }
    buf_printf(out, "%s_sum %" PRIu64 ".%06" PRIu64 "\n", name, sum / 1000000, sum % 1000000);
    buf_printf(out, "%s_count %" PRIu64 "\n", name, seen);
}
