/* status_json - /status: what the proxy does, as JSON. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/status_parts.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static uint64_t sum(const struct owners *owners, size_t at)
{
    return metrics_sum(owners->at, owners->count, at);
}

#define SUM(field) sum(owners, offsetof(struct counters, field))

/* Words with their counts, without zeros. */
static json_t *by_word(const struct owners *owners, size_t at, size_t count,
                       struct span (*word)(int))
{
    json_t *object = json_object();

    for (size_t i = 0; i < count; i++) {
        uint64_t value = sum(owners, at + i * sizeof(metric_value));
        struct span text = word((int)i);
        if (value > 0) {
            json_object_setn_new(object, text.at, text.len, integer(value));
        }
    }
    return object;
}

static struct span word_of_outcome(int outcome)
{
    return outcome_word((enum outcome)outcome);
}

static struct span word_of_reason(int reason)
{
    return reason_word((enum reason)reason);
}

static struct span word_of_served(int served)
{
    return served_word((enum served)served);
}

static struct span word_of_ending(int ending)
{
    return ending_word((enum ending)ending);
}

static json_t *requests_json(const struct owners *owners)
{
    json_t *requests = json_object();

    json_object_set_new(requests, "total", integer(SUM(requests)));
    json_object_set_new(requests, "hits", integer(SUM(hits)));
    json_object_set_new(requests, "bad", integer(SUM(bad_heads)));
    json_object_set_new(requests, "fetches", integer(SUM(fetches_open)));
    json_object_set_new(
        requests, "by_outcome",
        by_word(owners, offsetof(struct counters, outcomes), OUTCOME_COUNT, word_of_outcome));
    json_object_set_new(
        requests, "by_reason",
        by_word(owners, offsetof(struct counters, reasons), REASON_COUNT, word_of_reason));
    json_object_set_new(
        requests, "by_served_from",
        by_word(owners, offsetof(struct counters, served), SERVED_COUNT, word_of_served));
    json_object_set_new(
        requests, "by_end",
        by_word(owners, offsetof(struct counters, endings), ENDING_COUNT, word_of_ending));
    json_object_set_new(
        requests, "not_stored",
        by_word(owners, offsetof(struct counters, not_stored), REASON_COUNT, word_of_reason));
    return requests;
}

static json_t *bytes_json(const struct owners *owners)
{
    json_t *bytes = json_object();

    json_object_set_new(bytes, "sent_to_clients", integer(SUM(client_sent_bytes)));
    json_object_set_new(bytes, "received_from_clients", integer(SUM(client_received_bytes)));
    json_object_set_new(bytes, "sent_from_cache", integer(SUM(hit_sent_bytes)));
    json_object_set_new(bytes, "received_from_origins", integer(SUM(origin_received_bytes)));
    return bytes;
}

static json_t *quantiles(const struct owners *owners, size_t at)
{
    json_t *object = json_object();

    json_object_set_new(object, "p50",
                        integer(metrics_quantile(owners->at, owners->count, at, 50)));
    json_object_set_new(object, "p99",
                        integer(metrics_quantile(owners->at, owners->count, at, 99)));
    return object;
}

static json_t *latency_json(const struct owners *owners)
{
    json_t *latency = json_object();

    json_object_set_new(latency, "hits", quantiles(owners, offsetof(struct counters, hit_seconds)));
    json_object_set_new(latency, "misses",
                        quantiles(owners, offsetof(struct counters, miss_seconds)));
    json_object_set_new(latency, "disk_waits",
                        quantiles(owners, offsetof(struct counters, read_seconds)));
    return latency;
}

static json_t *memory_json(const struct cache_stats *stats)
{
    json_t *memory = json_object(), *purposes = json_object();

    json_object_set_new(purposes, "hot", integer(stats->table.bodies + stats->table.heads));
    for (int i = 0; i < MEMORY_COUNT; i++) {
        enum memory_purpose purpose = (enum memory_purpose)i;
        json_object_set_new(purposes, memory_word(purpose),
                            integer(status_memory_of(purpose, stats)));
    }
    json_object_set_new(memory, "limit", integer(memory_limit()));
    json_object_set_new(memory, "bodies", integer(stats->body_memory));
    json_object_set_new(memory, "hot", integer(stats->table.bytes));
    json_object_set_new(memory, "hot_entries", integer(stats->table.entries));
    json_object_set_new(memory, "flights", integer(stats->table.flights));
    json_object_set_new(memory, "used", integer(memory_used()));
    json_object_set_new(memory, "resident", integer(memory_resident()));
    json_object_set_new(memory, "by_purpose", purposes);
    return memory;
}

static const char *state_of(const struct store_member *one)
{
    return one->cause ? "out" : one->failing ? "failing" : "in";
}

static json_t *directories_json(struct cache *cache)
{
    json_t *list = json_array();

    for (size_t i = 0; i < cache_directories(cache); i++) {
        struct store_member one;
        json_t *row = json_object();
        cache_directory(cache, i, &one);
        json_object_set_new(row, "path", json_string(one.path));
        json_object_set_new(row, "state", json_string(state_of(&one)));
        if (one.cause) {
            json_object_set_new(row, "cause", json_string(one.cause));
        }
        json_object_set_new(row, "size", integer(one.size));
        json_object_set_new(row, "used", integer(one.stats.used));
        json_object_set_new(row, "objects", integer(one.stats.objects));
        json_object_set_new(row, "unreadable", integer(one.stats.unreadable));
        json_object_set_new(row, "commit_errors", integer(one.stats.commit_errors));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *store_json(struct cache *cache, const struct cache_stats *stats,
                          const struct settings *settings)
{
    json_t *store = json_object();

    if (!stats->has_store) {
        json_decref(store);
        return json_null();
    }
    json_object_set_new(store, "path", json_string(settings->stores[0].path));
    json_object_set_new(store, "size", integer(stats->store.size));
    json_object_set_new(store, "used", integer(stats->store.used));
    json_object_set_new(store, "objects", integer(stats->store.objects));
    json_object_set_new(store, "segments", integer(stats->store.segments));
    json_object_set_new(store, "dirty", integer(stats->store.dirty));
    json_object_set_new(store, "deletions", integer(stats->store.deletions));
    json_object_set_new(store, "written_bytes", integer(stats->store.written_bytes));
    json_object_set_new(store, "written_objects", integer(stats->store.written_objects));
    json_object_set_new(store, "evicted_segments", integer(stats->store.evicted_segments));
    json_object_set_new(store, "recycled_segments", integer(stats->store.recycled_segments));
    json_object_set_new(store, "kept_objects", integer(stats->store.kept_objects));
    json_object_set_new(store, "kept_bytes", integer(stats->store.kept_bytes));
    json_object_set_new(store, "commit_errors", integer(stats->store.commit_errors));
    json_object_set_new(store, "corrupt", integer(stats->store.corrupt));
    json_object_set_new(store, "reads", integer(stats->store.reads));
    json_object_set_new(store, "read_bytes", integer(stats->store.read_bytes));
    json_object_set_new(store, "reads_waiting", integer(stats->store.reads_waiting));
    json_object_set_new(store, "directories", directories_json(cache));
    return store;
}

static json_t *listen_json(const struct settings *settings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < settings->listen_count; i++) {
        json_array_append_new(list, json_string(settings->listen[i].at.text));
    }
    return list;
}

static json_t *connections_json(const struct owners *owners)
{
    json_t *connections = json_object();

    json_object_set_new(connections, "open", integer(SUM(clients_open)));
    json_object_set_new(connections, "accepted", integer(SUM(client_connections)));
    json_object_set_new(connections, "refused", integer(SUM(clients_refused)));
    json_object_set_new(connections, "tunnels", integer(SUM(tunnels)));
    return connections;
}

void status_write_json(json_t *root, struct buf *out)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

    CHECK(text != NULL);
    buf_append(out, span_str(text));
    buf_append(out, SPAN("\n"));
    free(text);
    json_decref(root);
}

/* ---- the last requests ---- */

static int newest_first(const void *a, const void *b)
{
    const struct recent_entry *x = a, *y = b;

    return (x->when_ms < y->when_ms) - (x->when_ms > y->when_ms);
}

/* The newest RECENT_COUNT entries of all workers. */
static json_t *recent_list(struct server *server)
{
    size_t max = server_worker_count(server) * RECENT_COUNT, count = 0;
    struct recent_entry *entries = xcalloc(max, sizeof(*entries));
    json_t *list = json_array();

    for (size_t i = 0; i < server_worker_count(server); i++) {
        struct recent *ring = &server_worker(server, i)->recent;
        for (size_t ago = 0; ago < RECENT_COUNT; ago++) {
            count += recent_read(ring, ago, &entries[count]);
        }
    }
    qsort(entries, count, sizeof(*entries), newest_first);
    for (size_t i = 0; i < count && i < RECENT_COUNT; i++) {
        json_array_append_new(list, recent_json(&entries[i]));
    }
    free(entries);
    return list;
}

static json_t *sandbox_json(void)
{
    struct sandbox_report report = sandbox_report();

    return json_pack("{s:s, s:s?, s:b, s:b}", "filter", report.filter, "why", report.why,
                     "no_new_privs", (int)report.no_new_privs, "no_capabilities",
                     (int)report.no_capabilities);
}

int status_json(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    struct owners all = owners_of(server);
    const struct owners *owners = &all;
    const struct settings *settings = server_settings(server);
    struct cache_stats stats;
    json_t *root = json_object();

    cache_stats(server_cache(server), &stats);
    json_object_set_new(root, "program", json_string("larder-proxy"));
    json_object_set_new(root, "version", json_string(LARDER_VERSION));
    json_object_set_new(root, "name", json_string(settings->name));
    json_object_set_new(root, "state",
                        json_string(server_is_draining(server) ? "draining" : "ready"));
    json_object_set_new(root, "uptime_seconds",
                        json_integer(clock_wall() - server_started(server)));
    json_object_set_new(root, "reloads", integer(server_reloads(server)));
    if (server_refusal(server)) {
        json_object_set_new(root, "reload_refused", text_json(span_str(server_refusal(server))));
    }
    json_object_set_new(root, "workers", integer(server_worker_count(server)));
    json_object_set_new(root, "listen", listen_json(settings));
    json_object_set_new(root, "sandbox", sandbox_json());
    json_object_set_new(root, "sites", integer(settings->site_count));
    json_object_set_new(root, "connections", connections_json(owners));
    json_object_set_new(root, "requests", requests_json(owners));
    json_object_set_new(root, "bytes", bytes_json(owners));
    json_object_set_new(root, "latency_us", latency_json(owners));
    json_object_set_new(root, "claims", integer(stats.claims));
    json_object_set_new(root, "memory", memory_json(&stats));
    json_object_set_new(root, "store", store_json(server_cache(server), &stats, settings));
    json_object_set_new(root, "mirrors", status_mirrors_json(server));
    json_object_set_new(root, "access", status_access_json(server));
    json_object_set_new(root, "recent", recent_list(server));
    status_write_json(root, out);
    return 200;
}
