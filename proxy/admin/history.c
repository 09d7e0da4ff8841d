#include "proxy/admin/history.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LEVELS = 3, QUANTILES = 3 };

static const unsigned percents[QUANTILES] = {50, 90, 99};
static const char *const hits[QUANTILES] = {"hits_us_p50", "hits_us_p90", "hits_us_p99"};
static const char *const misses[QUANTILES] = {"misses_us_p50", "misses_us_p90", "misses_us_p99"};

static const struct {
    uint64_t step;
    size_t size;
} shapes[LEVELS] = {{1, 600}, {10, 720}, {120, 720}};

#define NOTHING UINT32_MAX /* no observation */

struct point {
    uint64_t counts[HISTORY_COUNT_COUNT];
    uint64_t gauges[HISTORY_GAUGE_COUNT];
    uint32_t hits_us[QUANTILES], misses_us[QUANTILES];
};

/* Point number n covers the seconds [n * step, (n + 1) * step) and has place n % size. */
struct level {
    uint64_t first, next; /* numbers of points */
    struct history_totals last;
    struct point *points;
};

struct history {
    struct level levels[LEVELS];
};

/* ---- making and ending ---- */

struct history *history_new(uint64_t now)
{
    struct history *history = xcalloc(1, sizeof(*history));

    for (size_t i = 0; i < LEVELS; i++) {
        struct level *level = &history->levels[i];
        level->first = level->next = now / shapes[i].step;
        level->points = xcalloc(shapes[i].size, sizeof(*level->points));
        memory_take(MEMORY_DASHBOARD, shapes[i].size * sizeof(*level->points));
    }
    return history;
}

void history_free(struct history **slot)
{
    struct history *history = *slot;

    *slot = NULL;
    for (size_t i = 0; history && i < LEVELS; i++) {
        memory_give(MEMORY_DASHBOARD, shapes[i].size * sizeof(*history->levels[i].points));
        free(history->levels[i].points);
    }
    free(history);
}

/* ---- adding ---- */

/* A duration in µs, at most an hour. */
static uint32_t quantile(const uint64_t now[HISTOGRAM_BUCKETS],
                         const uint64_t before[HISTOGRAM_BUCKETS], unsigned percent)
{
    uint64_t buckets[HISTOGRAM_BUCKETS], total = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        buckets[i] = now[i] - before[i];
        total += buckets[i];
    }
    uint64_t us = histogram_estimate(buckets, percent);
    return total == 0 ? NOTHING : us < NOTHING ? (uint32_t)us : NOTHING - 1;
}

static void set_point(struct point *point, const struct level *level,
                      const struct history_totals *totals, uint64_t part, uint64_t parts)
{
    for (size_t i = 0; i < HISTORY_COUNT_COUNT; i++) {
        uint64_t all = totals->counts[i] - level->last.counts[i];
        point->counts[i] = all / parts + (part + 1 == parts ? all % parts : 0);
    }
    memcpy(point->gauges, totals->gauges, sizeof(point->gauges));
    for (size_t i = 0; i < QUANTILES; i++) {
        point->hits_us[i] = quantile(totals->hits, level->last.hits, percents[i]);
        point->misses_us[i] = quantile(totals->misses, level->last.misses, percents[i]);
    }
}

static void level_add(struct level *level, size_t size, const struct history_totals *totals,
                      uint64_t next)
{
    uint64_t parts = next - level->next;

    for (uint64_t part = parts > size ? parts - size : 0; part < parts; part++) {
        set_point(&level->points[(level->next + part) % size], level, totals, part, parts);
    }
    level->next = next;
    level->first = next - level->first > size ? next - size : level->first;
    level->last = *totals;
}

void history_add(struct history *history, const struct history_totals *totals, uint64_t now)
{
    for (size_t i = 0; i < LEVELS; i++) {
        uint64_t next = now / shapes[i].step;
        CHECK(next >= history->levels[i].next);
        if (next > history->levels[i].next) {
            level_add(&history->levels[i], shapes[i].size, totals, next);
        }
    }
}

/* ---- reading ---- */

uint64_t history_sum(const struct history *history, enum history_count count, uint64_t seconds)
{
    const struct level *level = &history->levels[0];
    uint64_t sum = 0;

    for (uint64_t n = level->first; n < level->next; n++) {
        if (level->next - n <= seconds) {
            sum += level->points[n % shapes[0].size].counts[count];
        }
    }
    return sum;
}

struct range {
    const struct level *level;
    size_t size;
    uint64_t from;
};

static void put_name(struct buf *out, const char *name)
{
    struct span before = buf_span(out);

    buf_append(out, span_ends(before, SPAN("{")) ? SPAN_EMPTY : SPAN(","));
    buf_printf(out, "\"%s\":[", name);
}

static void put_counts(const struct range *range, const char *name, size_t at, struct buf *out)
{
    put_name(out, name);
    for (uint64_t n = range->from; n < range->level->next; n++) {
        const struct point *point = &range->level->points[n % range->size];
        uint64_t value;
        memcpy(&value, (const char *)point + at, sizeof(value));
        buf_printf(out, "%s%" PRIu64, n > range->from ? "," : "", value);
    }
    buf_append(out, SPAN("]"));
}

static void put_times(const struct range *range, const char *name, size_t at, struct buf *out)
{
    put_name(out, name);
    for (uint64_t n = range->from; n < range->level->next; n++) {
        const struct point *point = &range->level->points[n % range->size];
        uint32_t us;
        memcpy(&us, (const char *)point + at, sizeof(us));
        buf_append(out, n > range->from ? SPAN(",") : SPAN_EMPTY);
        if (us == NOTHING) {
            buf_append(out, SPAN("null"));
        } else {
            buf_printf(out, "%" PRIu32, us);
        }
    }
    buf_append(out, SPAN("]"));
}

static void put_series(const struct range *range, struct buf *out)
{
    static const char *const counts[] = {
#define X(id, name) name,
        HISTORY_COUNTS(X)
#undef X
    };
    static const char *const gauges[] = {
#define X(id, name) name,
        HISTORY_GAUGES(X)
#undef X
    };

    for (size_t i = 0; i < HISTORY_COUNT_COUNT; i++) {
        put_counts(range, counts[i], offsetof(struct point, counts) + i * sizeof(uint64_t), out);
    }
    for (size_t i = 0; i < HISTORY_GAUGE_COUNT; i++) {
        put_counts(range, gauges[i], offsetof(struct point, gauges) + i * sizeof(uint64_t), out);
    }
    for (size_t i = 0; i < QUANTILES; i++) {
        size_t at = i * sizeof(uint32_t);
        put_times(range, hits[i], offsetof(struct point, hits_us) + at, out);
        put_times(range, misses[i], offsetof(struct point, misses_us) + at, out);
    }
}

static void put_range(const struct range *range, uint64_t step, int64_t end, struct buf *out)
{
    buf_printf(out,
               "{\"step\":%" PRIu64 ",\"first\":%" PRIu64 ",\"next\":%" PRIu64 ",\"end\":%" PRId64
               ",\"series\":{",
               step, range->from, range->level->next, end);
    put_series(range, out);
    buf_append(out, SPAN("}}\n"));
}

bool history_write(const struct history *history, const struct history_query *query,
                   struct buf *out)
{
    for (size_t i = 0; i < LEVELS; i++) {
        const struct level *level = &history->levels[i];
        if (shapes[i].step == query->step) {
            uint64_t from = query->since > level->first ? query->since : level->first;
            struct range range = {level, shapes[i].size, from < level->next ? from : level->next};
            int64_t ago = (int64_t)(query->now - level->next * query->step);
            put_range(&range, query->step, query->wall - ago, out);
            return true;
        }
    }
    return false;
}
