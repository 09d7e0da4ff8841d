#include "base/metrics.h"

#include <criterion/criterion.h>

#include "base/check.h"

#define COUNTERS(X)                                                                                \
    X(requests, COUNTER, "Requests received")                                                      \
    X(connections, GAUGE, "Client connections that are open")

static const char *const outcomes[] = {"hit", "mi\"ss"};
static const char *const reasons[] = {"a", "b", "c"};

struct counters {
    METRIC_FIELDS(COUNTERS)
    metric_value by_outcome[2];
    metric_value by_pair[6];
    struct histogram latency;
};

#define ROW(name, kind, help) METRIC_ROW(struct counters, name, kind, help)
/* clang-format off */
static const struct metric rows[] = {
    COUNTERS(ROW)
    {"outcomes", METRIC_COUNTER, offsetof(struct counters, by_outcome), "By outcome",
     {{"outcome", outcomes, 2}, {NULL, NULL, 0}}},
    {"pairs", METRIC_COUNTER, offsetof(struct counters, by_pair), "By pair",
     {{"outcome", outcomes, 2}, {"reason", reasons, 3}}},
    {"request_seconds", METRIC_HISTOGRAM, offsetof(struct counters, latency), "Time",
     {{NULL, NULL, 0}, {NULL, NULL, 0}}},
    {0},
};
/* clang-format on */

Test(metrics, threads_are_summed_into_prometheus_text)
{
    static struct counters a, b;
    const void *const all[] = {&a, &b};
    struct buf out = BUF_INIT;

    metric_add(&a.requests, 2);
    metric_add(&b.requests, 40);
    metric_add(&a.connections, 3);
    metric_sub(&b.connections, 2); /* accepted by one, closed by the other */
    metric_add(&b.by_outcome[1], 5);
    metric_add(&a.by_pair[4], 6);
    histogram_observe(&a.latency, 100);
    histogram_observe(&b.latency, 101);
    histogram_observe(&b.latency, 99000000);
    metrics_write(&out, "x_", rows, all, 2);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, "# HELP x_requests_total Requests received\n"
                               "# TYPE x_requests_total counter\n"
                               "x_requests_total 42\n"
                               "# HELP x_connections Client connections that are open\n"
                               "# TYPE x_connections gauge\n"
                               "x_connections 1\n"
                               "# HELP x_outcomes_total By outcome\n"
                               "# TYPE x_outcomes_total counter\n"
                               "x_outcomes_total{outcome=\"hit\"} 0\n"
                               "x_outcomes_total{outcome=\"mi\\\"ss\"} 5\n"
                               "# HELP x_pairs_total By pair\n"
                               "# TYPE x_pairs_total counter\n"
                               "x_pairs_total{outcome=\"mi\\\"ss\",reason=\"b\"} 6\n"
                               "# HELP x_request_seconds Time\n"
                               "# TYPE x_request_seconds histogram\n"
                               "x_request_seconds_bucket{le=\"0.0001\"} 1\n"
                               "x_request_seconds_bucket{le=\"0.00025\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.0005\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.001\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.0025\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.005\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.01\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.025\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.05\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.1\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.25\"} 2\n"
                               "x_request_seconds_bucket{le=\"0.5\"} 2\n"
                               "x_request_seconds_bucket{le=\"1\"} 2\n"
                               "x_request_seconds_bucket{le=\"2.5\"} 2\n"
                               "x_request_seconds_bucket{le=\"5\"} 2\n"
                               "x_request_seconds_bucket{le=\"10\"} 2\n"
                               "x_request_seconds_bucket{le=\"30\"} 2\n"
                               "x_request_seconds_bucket{le=\"+Inf\"} 3\n"
                               "x_request_seconds_sum 99.000201\n"
                               "x_request_seconds_count 3\n");
    buf_fini(&out);
}

Test(metrics, families_by_hand)
{
    struct buf out = BUF_INIT;

    metrics_head(&out, "x_", "up", METRIC_GAUGE, "Up");
    metrics_sample(&out, "x_", "up", METRIC_GAUGE, "node", SPAN("a\\b\nc"), 1);
    metrics_sample(&out, "x_", "up", METRIC_GAUGE, NULL, SPAN_EMPTY, (uint64_t)-1);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, "# HELP x_up Up\n# TYPE x_up gauge\nx_up{node=\"a\\\\b\\nc\"} 1\n"
                               "x_up 0\n");
    buf_fini(&out);
}

Test(metrics, quantiles_are_bounds_of_buckets)
{
    static struct counters counters;
    const void *const all[] = {&counters};
    size_t at = offsetof(struct counters, latency);

    cr_expect_eq(metrics_quantile(all, 1, at, 50), 0);
    for (unsigned i = 0; i < 99; i++) {
        histogram_observe(&counters.latency, 900);
    }
    histogram_observe(&counters.latency, UINT64_MAX);
    cr_expect_eq(metrics_quantile(all, 1, at, 50), 1000);
    cr_expect_eq(metrics_quantile(all, 1, at, 99), 1000);
    cr_expect_eq(metrics_quantile(all, 1, at, 100), 30000000);
}

Test(metrics, estimates_lie_within_buckets)
{
    uint64_t buckets[HISTOGRAM_BUCKETS] = {0};

    cr_expect_eq(histogram_estimate(buckets, 50), 0);
    buckets[1] = 10; /* 100 to 250 µs */
    cr_expect_eq(histogram_estimate(buckets, 50), 175);
    cr_expect_eq(histogram_estimate(buckets, 100), 250);
    buckets[0] = 10; /* up to 100 µs */
    cr_expect_eq(histogram_estimate(buckets, 25), 50);
    cr_expect_eq(histogram_estimate(buckets, 75), 175);
    buckets[HISTOGRAM_BUCKETS - 1] = 100;
    cr_expect_eq(histogram_estimate(buckets, 99), 30000000);
}
