/* status_store - /store: the directories of the store, one by one. */
#include "proxy/admin/status.h"
#include "proxy/admin/status_parts.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/store/stores.h"
#include "cache/store/survey.h"

#include <jansson.h>
#include <stdlib.h>

/* Least time between two counts of live objects for this page. */
#define COUNT_AGAIN_SECONDS 60

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static void set(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, integer(value));
}

/* ---- tours ---- */

static json_t *tour_json(const struct store_tour *tour)
{
    if (tour->began == 0) {
        return json_null();
    }
    json_t *object = json_object();
    json_object_set_new(object, "running", json_boolean(tour->ended == 0));
    set(object, "began", (uint64_t)tour->began);
    set(object, "ended", (uint64_t)tour->ended);
    json_object_set_new(object, "error",
                        tour->err ? json_string(err_text(tour->err)) : json_null());
    set(object, "records", tour->records);
    set(object, "live", tour->live);
    set(object, "dead", tour->dead);
    set(object, "damaged", tour->damaged);
    set(object, "unreadable", tour->unreadable);
    set(object, "bytes", tour->bytes);
    return object;
}

static void count_if_old(struct store *store)
{
    struct store_tour tour;

    store_tour(store, STORE_COUNT, &tour);
    if (tour.began == 0 || tour.err ||
        (tour.ended && clock_wall() - tour.ended >= COUNT_AGAIN_SECONDS)) {
        store_tour_begin(store, STORE_COUNT, 0); /* begun later, if a tour is in progress */
    }
}

/* ---- segments ---- */

struct log_sum {
    uint64_t segments, bytes, hot;
    int64_t oldest, newest; /* creation times of segments */
};

static void add_to_log(struct log_sum *sum, const struct store_segment *segment)
{
    if (sum->segments == 0 || segment->created < sum->oldest) {
        sum->oldest = segment->created;
    }
    if (sum->segments == 0 || segment->created > sum->newest) {
        sum->newest = segment->created;
    }
    sum->segments++;
    sum->bytes += segment->capacity;
    sum->hot += segment->hot_objects;
}

static json_t *age(int64_t since)
{
    int64_t seconds = clock_wall() - since;

    return json_integer(seconds > 0 ? seconds : 0);
}

static json_t *log_json(const struct log_sum *sum)
{
    json_t *object = json_object();

    set(object, "segments", sum->segments);
    set(object, "bytes", sum->bytes);
    set(object, "hot_objects", sum->hot);
    json_object_set_new(object, "oldest_seconds", sum->segments ? age(sum->oldest) : json_null());
    json_object_set_new(object, "newest_seconds", sum->segments ? age(sum->newest) : json_null());
    return object;
}

/* Sums over the segments that the last count has seen. */
static json_t *live_json(const struct store_segment *segments, size_t count,
                         const struct store_tour *last)
{
    uint64_t objects = 0, bytes = 0, of = 0, counted = 0;

    for (size_t i = 0; i < count; i++) {
        if (segments[i].counted && !segments[i].dropped) {
            counted++;
            objects += segments[i].live_objects;
            bytes += segments[i].live_bytes;
            of += segments[i].used ? segments[i].used : segments[i].capacity;
        }
    }
    if (counted == 0 && (last->ended == 0 || last->err)) {
        return json_null();
    }
    json_t *object = json_object();
    set(object, "segments", counted);
    set(object, "objects", objects);
    set(object, "bytes", bytes);
    set(object, "of_bytes", of);
    return object;
}

static json_t *segment_json(const struct store_segment *segment)
{
    json_t *object = json_object();

    set(object, "id", segment->id);
    json_object_set_new(object, "log", json_string(segment->main ? "main" : "probation"));
    json_object_set_new(object, "state",
                        json_string(segment->dropped ? "dropped"
                                    : segment->open  ? "open"
                                                     : "sealed"));
    json_object_set_new(object, "age_seconds", age(segment->created));
    set(object, "capacity", segment->capacity);
    json_object_set_new(object, "used", segment->used ? integer(segment->used) : json_null());
    json_object_set_new(object, "live_objects",
                        segment->counted ? integer(segment->live_objects) : json_null());
    json_object_set_new(object, "live_bytes",
                        segment->counted ? integer(segment->live_bytes) : json_null());
    set(object, "hot_objects", segment->hot_objects);
    set(object, "pins", segment->pins);
    return object;
}

static json_t *segments_json(const struct store_segment *segments, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, segment_json(&segments[i]));
    }
    return list;
}

/* Sums over all segments. */
static void set_logs(json_t *object, const struct store_segment *segments, size_t count,
                     const struct store_tour *last)
{
    struct log_sum logs[2] = {{0}}, dropped = {0};

    for (size_t i = 0; i < count; i++) {
        add_to_log(segments[i].dropped ? &dropped : &logs[segments[i].main], &segments[i]);
    }
    set(object, "segment_bytes", logs[0].bytes + logs[1].bytes);
    set(object, "dropped_segments", dropped.segments);
    set(object, "dropped_bytes", dropped.bytes);
    json_object_set_new(object, "probation", log_json(&logs[0]));
    json_object_set_new(object, "main", log_json(&logs[1]));
    json_object_set_new(object, "live", live_json(segments, count, last));
}

/* ---- directories ---- */

static void set_counters(json_t *object, struct store *store, const struct store_stats *stats)
{
    struct store_spending spending;

    store_spending(store, &spending);
    set(object, "used", stats->used);
    set(object, "index_bytes", spending.index);
    set(object, "spare_bytes", spending.spares);
    set(object, "objects", stats->objects);
    set(object, "dirty_bytes", stats->dirty);
    set(object, "written_last", spending.written);
    set(object, "written_last_seconds", spending.seconds);
    set(object, "written_bytes", stats->written_bytes);
    set(object, "written_objects", stats->written_objects);
    set(object, "commits", stats->commits);
    set(object, "commit_errors", stats->commit_errors);
    set(object, "evicted_segments", stats->evicted_segments);
    set(object, "recycled_segments", stats->recycled_segments);
    set(object, "kept_objects", stats->kept_objects);
    set(object, "kept_bytes", stats->kept_bytes);
    set(object, "corrupt", stats->corrupt);
}

/* The state of tours is read before the segments: if the answer says that the count has ended, its
 * numbers are in the segments. */
static void set_store(json_t *object, struct store *store, const struct store_stats *stats,
                      bool with_segments)
{
    struct store_tour last, verification;

    store_tour(store, STORE_COUNT, &last);
    store_tour(store, STORE_VERIFY, &verification);

    size_t max = store_segments_max(store);
    struct store_segment *segments = xcalloc(max, sizeof(*segments));
    size_t count = store_segments(store, segments, max);

    set_counters(object, store, stats);
    set_logs(object, segments, count, &last);
    json_object_set_new(object, "count", tour_json(&last));
    json_object_set_new(object, "verify", tour_json(&verification));
    if (with_segments) {
        json_object_set_new(object, "segments", segments_json(segments, count));
    }
    free(segments);
}

static json_t *directory_json(struct stores *stores, size_t number, bool with_segments)
{
    struct store *store = stores_store(stores, number);
    struct store_member member;
    json_t *object = json_object();

    stores_member(stores, number, &member);
    json_object_set_new(object, "path", json_string(member.path));
    json_object_set_new(object, "state",
                        json_string(member.cause     ? "taken out"
                                    : member.failing ? "failing"
                                                     : "ok"));
    json_object_set_new(object, "cause", member.cause ? json_string(member.cause) : json_null());
    set(object, "size", member.size);
    if (store && !member.cause) {
        count_if_old(store);
        set_store(object, store, &member.stats, with_segments);
    }
    return object;
}

int status_store(const struct status_query *query, struct buf *out)
{
    struct stores *stores = cache_stores(server_cache(query->server));
    bool with_segments = span_eq(query->query, SPAN("segments"));
    json_t *root = json_object(), *list = json_array();

    json_object_set_new(root, "program", json_string("larder-proxy"));
    json_object_set_new(root, "version", json_string(LARDER_VERSION));
    for (size_t i = 0; stores && i < stores_count(stores); i++) {
        json_array_append_new(list, directory_json(stores, i, with_segments));
    }
    json_object_set_new(root, "directories", list);
    status_write_json(root, out);
    return 200;
}

/* ---- verifying ---- */

#define RATE_DEFAULT (UINT64_C(64) << 20)
#define RATE_MAX (UINT64_C(1) << 40)

/* Parses "rate=N"; without it the default. False: malformed. */
static bool read_rate(struct span query, uint64_t *rate)
{
    *rate = RATE_DEFAULT;
    if (query.len == 0) {
        return true;
    }
    if (!span_starts(query, SPAN("rate="))) {
        return false;
    }
    return span_to_u64(span_skip(query, strlen("rate=")), RATE_MAX, rate);
}

static json_t *begin_json(struct stores *stores, size_t number, uint64_t rate)
{
    struct store *store = stores_store(stores, number);
    struct store_member member;
    json_t *object = json_object();

    stores_member(stores, number, &member);
    const char *why = member.cause ? member.cause : NULL;
    if (store && !why) {
        int err = store_tour_begin(store, STORE_VERIFY, rate);
        why = err == ERR_BUSY ? "busy" : err ? err_text(err) : NULL;
    }
    json_object_set_new(object, "path", json_string(member.path));
    json_object_set_new(object, "began", json_boolean(why == NULL));
    json_object_set_new(object, "why_not", why ? json_string(why) : json_null());
    return object;
}

int status_verify(const struct status_query *query, struct buf *out)
{
    struct stores *stores = cache_stores(server_cache(query->server));
    json_t *root = json_object(), *list = json_array();
    uint64_t rate;

    json_object_set_new(root, "program", json_string("larder-proxy"));
    json_object_set_new(root, "directories", list);
    if (!read_rate(query->query, &rate)) {
        json_object_set_new(root, "error", json_string("expected ?rate=BYTES a second"));
        status_write_json(root, out);
        return 400;
    }
    for (size_t i = 0; stores && i < stores_count(stores); i++) {
        json_array_append_new(list, begin_json(stores, i, rate));
    }
    status_write_json(root, out);
    return 200;
}
