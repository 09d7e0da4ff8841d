#include "proxy/status.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/memory.h"
#include "http/date.h"
#include "proxy/client/accesslog.h"
#include "proxy/decision_json.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>

enum { WORKERS_MAX = 256 };

/* The counters of all workers. */
struct owners {
    const void *at[WORKERS_MAX];
    size_t count;
};

static struct owners owners_of(struct server *server)
{
    struct owners owners = {.count = server_worker_count(server)};

    owners.count = owners.count < WORKERS_MAX ? owners.count : WORKERS_MAX;
    for (size_t i = 0; i < owners.count; i++) {
        owners.at[i] = &server_worker(server, i)->counters;
    }
    return owners;
}

int status_health(const struct status_query *query, struct buf *out)
{
    buf_printf(out, "ok\n");
    return 200;
}

int status_ready(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    if (server_is_draining(server)) {
        buf_printf(out, "draining\n");
        return 503;
    }
    if (cache_is_failing(server_cache(server))) {
        buf_printf(out, "the store fails: see the log\n");
        return 503;
    }
    buf_printf(out, "ready\n");
    return 200;
}

/* ---- metrics ---- */

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    metrics_head(out, "larder_", name, METRIC_GAUGE, help);
    metrics_sample(out, "larder_", name, METRIC_GAUGE, NULL, SPAN_EMPTY, value);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    metrics_head(out, "larder_", name, METRIC_COUNTER, help);
    metrics_sample(out, "larder_", name, METRIC_COUNTER, NULL, SPAN_EMPTY, value);
}

static void store_metrics(struct buf *out, const struct store_stats *store)
{
    gauge(out, "store_size_bytes", "Bytes the store may use", store->size);
    gauge(out, "store_used_bytes", "Bytes the store uses", store->used);
    gauge(out, "store_segments", "Segments of the store", store->segments);
    gauge(out, "store_dirty_bytes", "Bytes waiting to be written", store->dirty);
    gauge(out, "store_objects", "Records in the store's index", store->objects);
    counter(out, "store_written_bytes", "Bytes written to the store", store->written_bytes);
    counter(out, "store_written_objects", "Objects written", store->written_objects);
    counter(out, "store_commits", "Commits", store->commits);
    counter(out, "store_commit_errors", "Commits that failed", store->commit_errors);
    counter(out, "store_evicted_segments", "Segments dropped for room", store->evicted_segments);
    counter(out, "store_recycled_segments", "Segments written over an old one's file",
            store->recycled_segments);
    counter(out, "store_kept_objects", "Objects copied out of a segment that was dropped",
            store->kept_objects);
    counter(out, "store_kept_bytes", "Bytes copied out of segments that were dropped",
            store->kept_bytes);
    counter(out, "store_corrupt", "Records dropped because a checksum did not hold",
            store->corrupt);
    gauge(out, "store_reads_waiting", "Reads that wait for a thread", store->reads_waiting);
    counter(out, "store_reads", "Reads from the disk that a request waited for", store->reads);
    counter(out, "store_read_bytes", "Bytes of these", store->read_bytes);
    counter(out, "store_read_microseconds", "How long these took, waiting for a thread included",
            store->read_us);
    counter(out, "store_read_errors", "Reads from the disk that failed", store->read_errors);
    counter(out, "store_reads_shared", "Waits for a read that another request had asked for",
            store->reads_shared);
    counter(out, "store_reads_refused", "Lookups that were misses because too many reads waited",
            store->reads_refused);
}

/* One family, with a sample for each directory of the store. */
static void directory_metric(struct cache *cache, struct buf *out, const char *name,
                             const char *help, uint64_t (*value)(const struct store_member *one))
{
    metrics_head(out, "larder_", name, METRIC_GAUGE, help);
    for (size_t i = 0; i < cache_directories(cache); i++) {
        struct store_member one;
        cache_directory(cache, i, &one);
        metrics_sample(out, "larder_", name, METRIC_GAUGE, "dir", span_str(one.path), value(&one));
    }
}

static uint64_t is_in(const struct store_member *one)
{
    return one->cause == NULL;
}

static uint64_t used_by(const struct store_member *one)
{
    return one->stats.used;
}

static uint64_t unreadable_in(const struct store_member *one)
{
    return one->stats.unreadable;
}

static uint64_t failed_in(const struct store_member *one)
{
    return one->stats.commit_errors;
}

static void directory_metrics(struct cache *cache, struct buf *out)
{
    directory_metric(cache, out, "store_directory_in", "0: taken out, because it fails", is_in);
    directory_metric(cache, out, "store_directory_used_bytes", "Bytes the store uses there",
                     used_by);
    directory_metric(cache, out, "store_directory_unreadable",
                     "Pages that the disk did not give, since the start", unreadable_in);
    directory_metric(cache, out, "store_directory_commit_errors",
                     "Commits that failed there, since the start", failed_in);
}

/* What is hot counts as that, and not as bodies and heads. */
static uint64_t memory_of(enum memory_purpose purpose, const struct cache_stats *stats)
{
    uint64_t sum = memory_sum(purpose);
    uint64_t hot = purpose == MEMORY_BODIES  ? stats->table.bodies
                   : purpose == MEMORY_HEADS ? stats->table.heads
                                             : 0;

    return sum > hot ? sum - hot : 0;
}

static void memory_metrics(struct buf *out, const struct cache_stats *stats)
{
    static const char name[] = "memory_bytes";
    uint64_t hot = stats->table.bodies + stats->table.heads;

    gauge(out, "memory_limit_bytes", "The configured size of memory", memory_limit());
    gauge(out, "memory_used_bytes", "Memory counted against the limit", memory_used());
    gauge(out, "memory_resident_bytes", "Memory of the process in RAM, without files",
          memory_resident());
    metrics_head(out, "larder_", name, METRIC_GAUGE, "Memory by what it is used for");
    metrics_sample(out, "larder_", name, METRIC_GAUGE, "purpose", SPAN("hot"), hot);
    for (int i = 0; i < MEMORY_COUNT; i++) {
        enum memory_purpose purpose = (enum memory_purpose)i;
        metrics_sample(out, "larder_", name, METRIC_GAUGE, "purpose",
                       span_str(memory_word(purpose)), memory_of(purpose, stats));
    }
}

int status_metrics(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    struct owners owners = owners_of(server);
    struct cache_stats stats;

    metrics_write(out, "larder_", counters_rows, owners.at, owners.count);
    cache_stats(server_cache(server), &stats);
    memory_metrics(out, &stats);
    gauge(out, "memory_bodies_bytes", "Memory used by bodies", stats.body_memory);
    gauge(out, "memory_hot_bytes", "Memory used by hot objects, heads included", stats.table.bytes);
    gauge(out, "hot_entries", "Objects, flights and marks in memory", stats.table.entries);
    gauge(out, "flights", "Fetches that several requests may share", stats.table.flights);
    gauge(out, "claims", "Pieces of responses that are being fetched", stats.claims);
    counter(out, "hot_evicted", "Hot objects that made room", stats.table.evicted);
    counter(out, "reloads", "Configurations taken over since the start", server_reloads(server));
    if (server_log(server)) {
        counter(out, "access_log_dropped", "Access log lines lost because the disk was behind",
                accesslog_dropped(server_worker(server, 0)->log));
    }
    if (stats.has_store) {
        store_metrics(out, &stats.store);
        directory_metrics(server_cache(server), out);
    }
    return 200;
}

/* ---- status ---- */

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static uint64_t sum(const struct owners *owners, size_t at)
{
    return metrics_sum(owners->at, owners->count, at);
}

#define SUM(field) sum(owners, offsetof(struct counters, field))

/* Words with their counts; zeros are left out. */
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
    return latency;
}

static json_t *memory_json(const struct cache_stats *stats)
{
    json_t *memory = json_object(), *purposes = json_object();

    json_object_set_new(purposes, "hot", integer(stats->table.bodies + stats->table.heads));
    for (int i = 0; i < MEMORY_COUNT; i++) {
        enum memory_purpose purpose = (enum memory_purpose)i;
        json_object_set_new(purposes, memory_word(purpose), integer(memory_of(purpose, stats)));
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
        json_array_append_new(list, json_string(settings->listen[i].text));
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

/* ---- the last requests ---- */

static int newest_first(const void *a, const void *b)
{
    const struct recent_entry *x = a, *y = b;

    return (x->when_ms < y->when_ms) - (x->when_ms > y->when_ms);
}

/* The newest RECENT_COUNT of all workers. */
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
    json_object_set_new(root, "workers", integer(server_worker_count(server)));
    json_object_set_new(root, "listen", listen_json(settings));
    json_object_set_new(root, "sites", integer(settings->site_count));
    json_object_set_new(root, "connections", connections_json(owners));
    json_object_set_new(root, "requests", requests_json(owners));
    json_object_set_new(root, "bytes", bytes_json(owners));
    json_object_set_new(root, "latency_us", latency_json(owners));
    json_object_set_new(root, "claims", integer(stats.claims));
    json_object_set_new(root, "memory", memory_json(&stats));
    json_object_set_new(root, "store", store_json(server_cache(server), &stats, settings));
    json_object_set_new(root, "recent", recent_list(server));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    CHECK(text != NULL);
    buf_append(out, span_str(text));
    buf_append(out, SPAN("\n"));
    free(text);
    json_decref(root);
    return 200;
}

/* ---- for browsers ---- */

/* The host part of "host:port", and nothing that could leave a string of a script. */
static bool plain_host(struct span text, struct span *host)
{
    struct uri uri;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    bool plain = uri_parse_authority(text, 80, &arena, &uri) == 0;
    size_t colon = text.len;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool word = ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
        plain = plain && (word || c == '.' || c == '-' || c == ':' || c == '[' || c == ']');
        colon = c == ':' ? i : colon;
    }
    if (text.len > 0 && text.at[text.len - 1] == ']') {
        colon = text.len;
    }
    *host = span_take(text, colon);
    arena_fini(&arena);
    return plain;
}

static uint16_t listen_port(const struct settings *settings)
{
    const struct sockaddr *address = (const struct sockaddr *)&settings->listen[0].address;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    return ntohs(address->sa_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

int status_pac(const struct status_query *query, struct buf *out)
{
    struct span name;

    if (!plain_host(query->host, &name)) {
        name = SPAN("127.0.0.1");
    }
    buf_printf(out,
               "// Made by Larder: names without a dot go direct, the rest through the proxy, or\n"
               "// direct when it is away.\n"
               "function FindProxyForURL(url, host) {\n"
               "    if (isPlainHostName(host) && host !== \"localhost\") {\n"
               "        return \"DIRECT\";\n"
               "    }\n"
               "    return \"PROXY %.*s:%u; DIRECT\";\n"
               "}\n",
               SPAN_ARGS(name), listen_port(server_settings(query->server)));
    return 200;
}

int status_index(const struct status_query *query, struct buf *out)
{
    buf_printf(out, "larder-proxy " LARDER_VERSION "\n\n"
                    "/status     what it does, as JSON (or: larderctl status)\n"
                    "/store      what is on disk (or: larderctl store)\n"
                    "/explain    why a URL is answered as it is, ?url=... (or: larderctl explain)\n"
                    "/metrics    the same for Prometheus\n"
                    "/healthz    200 while the process lives\n"
                    "/readyz     200 while it takes requests\n"
                    "/proxy.pac  for the browser's automatic proxy configuration\n");
    return 200;
}
