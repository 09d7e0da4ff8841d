/* status_metrics - /metrics: counters of the workers, the store and memory, for Prometheus. */
#include "proxy/client/tail.h"
#include "proxy/roundtrips.h"
#include "proxy/admin/status_parts.h"
#include "proxy/tls_set.h"

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

/* A counter of µs in seconds, without rounding. */
static void seconds(struct buf *out, const char *name, const char *help, uint64_t us)
{
    metrics_head(out, "larder_", name, METRIC_COUNTER, help);
    buf_printf(out, "larder_%s_total %llu.%06llu\n", name, (unsigned long long)us / 1000000,
               (unsigned long long)us % 1000000);
}

static void store_metrics(struct buf *out, const struct store_stats *store)
{
    gauge(out, "store_size_bytes", "Bytes the store may use", store->size);
    gauge(out, "store_used_bytes", "Bytes the store uses", store->used);
    gauge(out, "store_segments", "Segments of the store", store->segments);
    gauge(out, "store_dirty_bytes", "Bytes waiting to be written", store->dirty);
    gauge(out, "store_deletions", "Records whose deletion is not written yet", store->deletions);
    gauge(out, "store_objects", "Records in the store's index", store->objects);
    counter(out, "store_written_bytes", "Bytes written to the store", store->written_bytes);
    counter(out, "store_written_objects", "Objects written", store->written_objects);
    counter(out, "store_commits", "Commits to the store", store->commits);
    counter(out, "store_commit_errors", "Commits that failed", store->commit_errors);
    counter(out, "store_evicted_segments", "Segments evicted", store->evicted_segments);
    counter(out, "store_recycled_segments", "Segments written over an old one's file",
            store->recycled_segments);
    counter(out, "store_kept_objects", "Objects copied from evicted segments", store->kept_objects);
    counter(out, "store_kept_bytes", "Bytes copied from evicted segments", store->kept_bytes);
    counter(out, "store_corrupt", "Records dropped because a checksum did not hold",
            store->corrupt);
    gauge(out, "store_reads_waiting", "Reads waiting for a thread", store->reads_waiting);
    counter(out, "store_reads", "Reads from the disk that a request waited for", store->reads);
    counter(out, "store_read_bytes", "Bytes read from the disk for requests that waited",
            store->read_bytes);
    seconds(out, "store_read_wait_seconds",
            "Time requests waited for reads from the disk, waiting for a thread included",
            store->read_us);
    counter(out, "store_read_errors", "Reads from the disk that failed", store->read_errors);
    counter(out, "store_reads_shared", "Waits for a read started by another request",
            store->reads_shared);
    counter(out, "store_reads_refused",
            "Lookups treated as misses because too many reads were waiting", store->reads_refused);
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
    directory_metric(cache, out, "store_directory_in",
                     "1: the directory is in use; 0: taken out because it fails", is_in);
    directory_metric(cache, out, "store_directory_used_bytes", "Bytes used in the directory",
                     used_by);
    directory_metric(cache, out, "store_directory_unreadable",
                     "Pages of the directory that could not be read since the start",
                     unreadable_in);
    directory_metric(cache, out, "store_directory_commit_errors",
                     "Failed commits to the directory since the start", failed_in);
}

static void memory_metrics(struct buf *out, const struct cache_stats *stats)
{
    static const char name[] = "memory_bytes";
    uint64_t hot = stats->table.bodies + stats->table.heads;

    gauge(out, "memory_limit_bytes", "The configured size of memory", memory_limit());
    gauge(out, "memory_used_bytes", "Memory counted against the limit", memory_used());
    gauge(out, "memory_resident_bytes", "Memory of the process in RAM, without files",
          memory_resident());
    metrics_head(out, "larder_", name, METRIC_GAUGE, "Memory by purpose");
    metrics_sample(out, "larder_", name, METRIC_GAUGE, "purpose", SPAN("hot"), hot);
    for (int i = 0; i < MEMORY_COUNT; i++) {
        enum memory_purpose purpose = (enum memory_purpose)i;
        metrics_sample(out, "larder_", name, METRIC_GAUGE, "purpose",
                       span_str(memory_word(purpose)), status_memory_of(purpose, stats));
    }
}

/* A sample for each listener with TLS; no family without one. */
static void certificate_metrics(const struct settings *settings, struct buf *out)
{
    static const char name[] = "certificate_expires_seconds";
    bool any = false;

    for (size_t i = 0; i < settings->listen_count; i++) {
        const char *listener = settings->listen[i].at.text, *file;
        const struct tls_context *context = tls_set_listener(settings, listener);
        int64_t end = context ? tls_context_expires(context, &file) : INT64_MAX;
        if (end == INT64_MAX) {
            continue;
        }
        if (!any) {
            metrics_head(out, "larder_", name, METRIC_GAUGE,
                         "When the first certificate of the listener expires, in Unix time");
            any = true;
        }
        metrics_sample(out, "larder_", name, METRIC_GAUGE, "listener", span_str(listener),
                       end > 0 ? (uint64_t)end : 0);
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
    gauge(out, "claims", "Ranges of responses being fetched", stats.claims);
    counter(out, "hot_evicted", "Objects evicted from memory", stats.table.evicted);
    counter(out, "purges", "Purges by administrators: of a URL, a prefix, a host or of all",
            stats.purges);
    gauge(out, "client_networks", "Client networks with a known round-trip time",
          roundtrips_count(server_roundtrips(server)));
    counter(out, "reloads", "Successful reloads", server_reloads(server));
    certificate_metrics(server_settings(server), out);
    status_access_metrics(server, out);
    status_mirror_metrics(server, out);
    counter(out, "reloads_refused", "Reloads refused because of errors",
            server_refused_reloads(server));
    gauge(out, "sandbox",
          "1: forbidden system calls fail; 0: they are not filtered, or only logged",
          sandbox_is_tight());
    gauge(out, "settings", "Configurations in memory: the current one, and old ones still in use",
          settings_alive());
    counter(out, "access_log_dropped",
            "Access log lines lost because a disk or socket was behind, or failed",
            accesslog_dropped());
    gauge(out, "tail_watchers", "Readers of /tail (larderctl tail, top)",
          atomic_load(&tail_watchers));
    counter(out, "tail_dropped", "Lines dropped for slow readers of /tail", tail_dropped());
    if (stats.has_store) {
        store_metrics(out, &stats.store);
        directory_metrics(server_cache(server), out);
    }
    return 200;
}
