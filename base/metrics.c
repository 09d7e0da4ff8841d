#include "base/metrics.h"

#include "base/check.h"

#include <inttypes.h>

/* Upper bounds of the buckets in µs, and as Prometheus writes them in seconds. */
static const struct {
    uint64_t us;
    const char *seconds;
} bounds[HISTOGRAM_BUCKETS] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},      {1000, "0.001"},  {2500, "0.0025"},
    {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},     {50000, "0.05"},  {100000, "0.1"},
    {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},       {2500000, "2.5"}, {5000000, "5"},
    {10000000, "10"}, {30000000, "30"}, {UINT64_MAX, "+Inf"},
};

static const char *const kind_words[] = {"counter", "gauge", "histogram"};

void histogram_observe(struct histogram *histogram, uint64_t us)
{
    size_t i = 0;

    while (us > bounds[i].us) {
        i++;
    }
    metric_add(&histogram->buckets[i], 1);
    metric_add(&histogram->sum_us, us);
}

static const metric_value *field(const void *owner, size_t at)
{
    return (const metric_value *)(const void *)((const char *)owner + at);
}

uint64_t metrics_sum(const void *const *owners, size_t count, size_t at)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += metric_get(field(owners[i], at));
    }
    return sum;
}

/* ---- text ---- */

static void put_name(struct buf *out, const char *prefix, const char *name, enum metric_kind kind)
{
    bool total = kind == METRIC_COUNTER && !span_ends(span_str(name), SPAN("_total"));

    buf_append(out, span_str(prefix));
    buf_append(out, span_str(name));
    buf_append(out, total ? SPAN("_total") : SPAN_EMPTY);
}

static void put_word(struct buf *out, struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '\n') {
            buf_append(out, SPAN("\\n"));
            continue;
        }
        if (word.at[i] == '"' || word.at[i] == '\\') {
            buf_append(out, SPAN("\\"));
        }
        buf_append(out, span_of(word.at + i, 1));
    }
}

static void put_number(struct buf *out, enum metric_kind kind, uint64_t value)
{
    bool negative = kind == METRIC_GAUGE && value > INT64_MAX;
    buf_printf(out, " %" PRIu64 "\n", negative ? 0 : value);
}

void metrics_head(struct buf *out, const char *prefix, const char *name, enum metric_kind kind,
                  const char *help)
{
    buf_append(out, SPAN("# HELP "));
    put_name(out, prefix, name, kind);
    buf_printf(out, " %s\n# TYPE ", help);
    put_name(out, prefix, name, kind);
    buf_printf(out, " %s\n", kind_words[kind]);
}

void metrics_sample(struct buf *out, const char *prefix, const char *name, enum metric_kind kind,
                    const char *label, struct span word, uint64_t value)
{
    put_name(out, prefix, name, kind);
    if (label) {
        buf_printf(out, "{%s=\"", label);
        put_word(out, word);
        buf_append(out, SPAN("\"}"));
    }
    put_number(out, kind, value);
}

/* ---- families ---- */

struct reader {
    struct buf *out;
    const char *prefix;
    const void *const *owners;
    size_t count;
};

static void write_labelled(const struct reader *reader, const struct metric *row)
{
    const struct metric_label *label = &row->labels[0];

    for (size_t i = 0; i < label->count; i++) {
        size_t at = row->at + i * sizeof(metric_value);
        metrics_sample(reader->out, reader->prefix, row->name, row->kind, label->name,
                       span_str(label->words[i]), metrics_sum(reader->owners, reader->count, at));
    }
}

/* Most pairs of labels never occur; those that are still 0 are left out. */
static void write_pairs(const struct reader *reader, const struct metric *row)
{
    const struct metric_label *first = &row->labels[0];
    const struct metric_label *second = &row->labels[1];

    for (size_t i = 0; i < first->count * second->count; i++) {
        uint64_t sum =
            metrics_sum(reader->owners, reader->count, row->at + i * sizeof(metric_value));
        if (sum == 0) {
            continue;
        }
        put_name(reader->out, reader->prefix, row->name, row->kind);
        buf_printf(reader->out, "{%s=\"", first->name);
        put_word(reader->out, span_str(first->words[i / second->count]));
        buf_printf(reader->out, "\",%s=\"", second->name);
        put_word(reader->out, span_str(second->words[i % second->count]));
        buf_append(reader->out, SPAN("\"}"));
        put_number(reader->out, row->kind, sum);
    }
}

static void write_histogram(const struct reader *reader, const struct metric *row)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        size_t at = row->at + offsetof(struct histogram, buckets) + i * sizeof(metric_value);
        seen += metrics_sum(reader->owners, reader->count, at);
        buf_printf(reader->out, "%s%s_bucket{le=\"%s\"} %" PRIu64 "\n", reader->prefix, row->name,
                   bounds[i].seconds, seen);
    }
    uint64_t sum =
        metrics_sum(reader->owners, reader->count, row->at + offsetof(struct histogram, sum_us));
    buf_printf(reader->out, "%s%s_sum %" PRIu64 ".%06" PRIu64 "\n", reader->prefix, row->name,
               sum / 1000000, sum % 1000000);
    buf_printf(reader->out, "%s%s_count %" PRIu64 "\n", reader->prefix, row->name, seen);
}

void metrics_write(struct buf *out, const char *prefix, const struct metric *rows,
                   const void *const *owners, size_t count)
{
    struct reader reader = {out, prefix, owners, count};

    for (; rows->name; rows++) {
        metrics_head(out, prefix, rows->name, rows->kind, rows->help);
        if (rows->kind == METRIC_HISTOGRAM) {
            write_histogram(&reader, rows);
        } else if (rows->labels[1].name) {
            write_pairs(&reader, rows);
        } else if (rows->labels[0].name) {
            write_labelled(&reader, rows);
        } else {
            metrics_sample(out, prefix, rows->name, rows->kind, NULL, SPAN_EMPTY,
                           metrics_sum(owners, count, rows->at));
        }
    }
}

void metrics_buckets(const void *const *owners, size_t count, size_t at,
                     uint64_t out[HISTOGRAM_BUCKETS])
{
    at += offsetof(struct histogram, buckets);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        out[i] = metrics_sum(owners, count, at + i * sizeof(metric_value));
    }
}

uint64_t metrics_quantile(const void *const *owners, size_t count, size_t at, unsigned percent)
{
    uint64_t sums[HISTOGRAM_BUCKETS], total = 0, seen = 0;

    CHECK(percent <= 100);
    metrics_buckets(owners, count, at, sums);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += sums[i];
    }
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1 && total; i++) {
        seen += sums[i];
        if (seen / total * 100 + seen % total * 100 / total >= percent) {
            return bounds[i].us;
        }
    }
    return total ? bounds[HISTOGRAM_BUCKETS - 2].us : 0;
}

uint64_t histogram_estimate(const uint64_t buckets[HISTOGRAM_BUCKETS], unsigned percent)
{
    double total = 0, seen = 0;

    CHECK(percent <= 100);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += (double)buckets[i];
    }
    double wanted = total * percent / 100;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1 && total > 0; i++) {
        double lower = i > 0 ? (double)bounds[i - 1].us : 0;
        double count = (double)buckets[i];
        if (count > 0 && seen + count >= wanted) {
            return (uint64_t)(lower + ((double)bounds[i].us - lower) * (wanted - seen) / count);
        }
        seen += count;
    }
    return total > 0 ? bounds[HISTOGRAM_BUCKETS - 2].us : 0;
}
