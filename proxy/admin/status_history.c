/* status_history - /history and /top: what the proxy did lately, for which clients and hosts. */
#include "base/clock.h"
#include "cache/decision_text.h"
#include "proxy/client/accesslog.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/status_parts.h"
#include "proxy/toplist.h"

#include <stddef.h>

/* ---- totals ---- */

static void sum_counts(const struct owners *owners, uint64_t *out)
{
    static const struct {
        enum history_count count;
        size_t at;
    } from[] = {
        {HISTORY_REQUESTS, offsetof(struct counters, requests)},
        {HISTORY_HITS, offsetof(struct counters, hits)},
        {HISTORY_DENIED, offsetof(struct counters, outcomes[OUTCOME_DENIED])},
        {HISTORY_BYTES, offsetof(struct counters, client_sent_bytes)},
        {HISTORY_HIT_BYTES, offsetof(struct counters, hit_sent_bytes)},
        {HISTORY_TUNNEL_BYTES, offsetof(struct counters, tunnel_sent_bytes)},
        {HISTORY_UNSAVED_BYTES, offsetof(struct counters, unsaved_sent_bytes)},
        {HISTORY_ORIGIN_BYTES, offsetof(struct counters, origin_received_bytes)},
        {HISTORY_CONNECTIONS, offsetof(struct counters, client_connections)},
        {HISTORY_REFUSED, offsetof(struct counters, clients_refused)},
    };

    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        out[from[i].count] = metrics_sum(owners->at, owners->count, from[i].at);
    }
    out[HISTORY_ERRORS] =
        metrics_sum(owners->at, owners->count, offsetof(struct counters, status[5])) +
        metrics_sum(owners->at, owners->count, offsetof(struct counters, status[0]));
}

static uint64_t gauge(const struct owners *owners, size_t at)
{
    uint64_t sum = metrics_sum(owners->at, owners->count, at);

    return sum > INT64_MAX
               ? 0
               : sum; /* negative for a moment: one worker may subtract before another has added */
}

static void sum_gauges(const struct owners *owners, const struct cache_stats *stats, uint64_t *out)
{
    out[HISTORY_OPEN] = gauge(owners, offsetof(struct counters, clients_open));
    out[HISTORY_OPEN_H2] = gauge(owners, offsetof(struct counters, h2_open));
    out[HISTORY_OPEN_TLS] = gauge(owners, offsetof(struct counters, tls_open));
    out[HISTORY_OPEN_TUNNELS] = gauge(owners, offsetof(struct counters, tunnels_open));
    out[HISTORY_FETCHES] = gauge(owners, offsetof(struct counters, fetches_open));
    out[HISTORY_MEMORY] = memory_used();
    out[HISTORY_RESIDENT] = memory_resident();
    out[HISTORY_STORE] = stats->has_store ? stats->store.used : 0;
    out[HISTORY_DIRTY] = stats->has_store ? stats->store.dirty : 0;
}

void status_totals(struct server *server, struct history_totals *totals)
{
    struct owners owners = owners_of(server);
    struct cache_stats stats;

    cache_stats(server_cache(server), &stats);
    sum_counts(&owners, totals->counts);
    totals->counts[HISTORY_READS_REFUSED] = stats.has_store ? stats.store.reads_refused : 0;
    totals->counts[HISTORY_DROPPED] = accesslog_dropped();
    sum_gauges(&owners, &stats, totals->gauges);
    metrics_buckets(owners.at, owners.count, offsetof(struct counters, hit_seconds), totals->hits);
    metrics_buckets(owners.at, owners.count, offsetof(struct counters, miss_seconds),
                    totals->misses);
}

int status_history(const struct status_query *query, struct buf *out)
{
    struct history_query asked = {.step = 1, .now = clock_mono_ms() / 1000, .wall = clock_wall()};
    struct span step = status_parameter(query->query, SPAN("step"));
    struct span since = status_parameter(query->query, SPAN("since"));
    bool good = (step.len == 0 || span_to_u64(step, UINT32_MAX, &asked.step)) &&
                (since.len == 0 || span_to_u64(since, UINT64_MAX, &asked.since));

    if (!good || !history_write(server_history(query->server), &asked, out)) {
        buf_printf(out, "{\"error\": \"expected step=1, 10 or 120, and since=NUMBER\"}\n");
        return 400;
    }
    return 200;
}

/* ---- the busiest ---- */

enum { TOP_MAX = 100 };

static void set(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_counts(json_t *row, const struct topk_place *place)
{
    set(row, "requests", place->counts[TOPLIST_REQUESTS]);
    set(row, "hits", place->counts[TOPLIST_HITS]);
    set(row, "bytes", place->counts[TOPLIST_BYTES]);
    set(row, "hit_bytes", place->counts[TOPLIST_HIT_BYTES]);
    set(row, "denied", place->counts[TOPLIST_DENIED]);
}

/* The origin's last failure, as a sentence. */
static json_t *failure_json(uint64_t reason)
{
    if (reason >= TOPLIST_STATUS) {
        return json_sprintf("the origin answered %u", (unsigned)(reason - TOPLIST_STATUS));
    }
    return text_json(reason_text((enum reason)reason));
}

static json_t *host_json(const struct topk_place *place)
{
    const uint64_t *counts = place->counts;
    uint64_t timed = counts[TOPLIST_TIMED];
    json_t *row = json_object();

    json_object_set_new(row, "host", text_json(topk_key(place)));
    set_counts(row, place);
    set(row, "asked", counts[TOPLIST_ASKED]);
    json_object_set_new(row, "mean_us",
                        timed ? json_integer((json_int_t)(counts[TOPLIST_ASKED_US] / timed))
                              : json_null());
    set(row, "unreached", counts[TOPLIST_UNREACHED]);
    set(row, "failed", counts[TOPLIST_FAILED]);
    bool failed = counts[TOPLIST_LAST_FAILED] > 0;
    json_object_set_new(row, "last_failed",
                        failed ? json_integer((json_int_t)counts[TOPLIST_LAST_FAILED])
                               : json_null());
    json_object_set_new(row, "last_failure",
                        failed ? failure_json(counts[TOPLIST_LAST_REASON]) : json_null());
    return row;
}

static json_t *client_json(const struct topk_place *place)
{
    char text[IP_TEXT_MAX];
    json_t *row = json_object();
    struct ip ip;

    CHECK(place->len == sizeof(ip.at));
    memcpy(ip.at, place->key, sizeof(ip.at));
    json_object_set_new(row, "client", json_string(ip_text(&ip, text)));
    set_counts(row, place);
    return row;
}

static json_t *savable_json(const struct topk_place *place)
{
    enum reason why = (enum reason)place->key[0];
    json_t *row = json_object();

    json_object_set_new(row, "host", text_json(span_skip(topk_key(place), 1)));
    set(row, "requests", place->counts[TOPLIST_REQUESTS]);
    set(row, "bytes", place->counts[TOPLIST_BYTES]);
    if (why == REASON_NONE) {
        json_object_set_new(row, "reason", json_string("tunnel"));
        json_object_set_new(row, "because",
                            json_string("it went through a tunnel (CONNECT), which "
                                        "only its two ends can read"));
        json_object_set_new(
            row, "remedy",
            json_string(
                "Serve the host as a mirror (`mirrors`) or a site (`sites`) to which clients "
                "are pointed, or have them request the https:// URL from the proxy."));
        return row;
    }
    json_object_set_new(row, "reason", text_json(reason_word(why)));
    json_object_set_new(row, "because", text_json(reason_text(why)));
    json_object_set_new(row, "remedy", text_json(reason_remedy(why)));
    return row;
}

static json_t *top_json(struct server *server, enum toplist_kind kind, int64_t *since)
{
    static json_t *(*const to_json[TOPLIST_KINDS])(const struct topk_place *place) = {
        [TOPLIST_HOSTS] = host_json,
        [TOPLIST_CLIENTS] = client_json,
        [TOPLIST_SAVABLE] = savable_json};
    struct topk_rows rows = {0};
    json_t *list = json_array();

    for (size_t i = 0; i < server_worker_count(server); i++) {
        int64_t from = toplist_read(server_worker(server, i)->toplist, kind, &rows);
        *since = from < *since ? from : *since;
    }
    topk_rows_merge(&rows, toplist_merge);
    for (size_t i = 0; i < rows.count && i < TOP_MAX; i++) {
        json_array_append_new(list, to_json[kind](&rows.at[i]));
    }
    topk_rows_fini(&rows);
    return list;
}

int status_top(const struct status_query *query, struct buf *out)
{
    json_t *root = json_object();
    int64_t since = clock_wall();

    json_object_set_new(root, "hosts", top_json(query->server, TOPLIST_HOSTS, &since));
    json_object_set_new(root, "clients", top_json(query->server, TOPLIST_CLIENTS, &since));
    json_object_set_new(root, "savable", top_json(query->server, TOPLIST_SAVABLE, &since));
    json_object_set_new(root, "since", json_integer(since));
    status_write_json(root, out);
    return 200;
}
