#include "dnsredir/admin/status.h"

#include "base/check.h"
#include "base/sandbox.h"
#include "dnsredir/admin/config.h"
#include "dnsredir/admin/status_dynamic.h"

#include <jansson.h>
#include <stdlib.h>

#define PREFIX "larder_dns_"

static uint64_t answers_of(const struct status *status, uint16_t slot)
{
    return metrics_sum(status->counters, status->counter_count,
                       offsetof(struct counters, replicas) + slot * sizeof(metric_value));
}

static void put_replica_metrics(const struct status *status, struct buf *out)
{
    static const struct {
        const char *name;
        enum metric_kind kind;
        const char *help;
    } rows[] = {
        {"replica_answers", METRIC_COUNTER, "Answers with the replica in them"},
        {"replica_draining", METRIC_GAUGE, "1: the replica is draining"},
        {"replica_kept_percent", METRIC_GAUGE,
         "Percentage of its own clients that the replica keeps"},
        {"replica_load_percent", METRIC_GAUGE, "Load in percent of the replica's fair share"},
    };
    const struct settings *s = status->settings;

    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        metrics_head(out, PREFIX, rows[n].name, rows[n].kind, rows[n].help);
        for (size_t i = 0; i < s->replica_count; i++) {
            const struct roster_report *r = &status->replicas[i];
            const uint64_t values[] = {answers_of(status, roster_slot(status->roster, i)),
                                       r->draining, (uint64_t)(100 * (r->level < 1 ? r->level : 1)),
                                       (uint64_t)(r->fair > 0 ? 100 * r->load / r->fair : 0)};
            metrics_sample(out, PREFIX, rows[n].name, rows[n].kind, "replica",
                           span_str(s->replicas[i].name), values[n]);
        }
    }
}

/* A metric without labels. */
struct number_metric {
    const char *name;
    enum metric_kind kind;
    const char *help;
    uint64_t value;
};

static void put_numbers(const struct number_metric *rows, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        metrics_head(out, PREFIX, rows[i].name, rows[i].kind, rows[i].help);
        metrics_sample(out, PREFIX, rows[i].name, rows[i].kind, NULL, SPAN_EMPTY, rows[i].value);
    }
}

static void put_measured_metrics(const struct status *status, struct buf *out)
{
    const struct measure_report *m = &status->measured;
    const struct number_metric rows[] = {
        {"measured_networks", METRIC_GAUGE, "Networks with measured round-trip times", m->networks},
        {"measured_mapped", METRIC_GAUGE, "Networks whose answers go by measured round trips",
         m->mapped},
        {"measured_moved", METRIC_GAUGE,
         "Networks for which another replica is nearer by round trips than by distance", m->moved},
        {"measured_bytes", METRIC_GAUGE, "Memory used by round-trip times and their map", m->bytes},
        {"measured_lines", METRIC_COUNTER, "Round-trip times reported by replicas", m->lines},
        {"measured_maps", METRIC_COUNTER, "Maps made of measured round-trip times", m->maps},
    };

    put_numbers(rows, m->enabled ? ARRAY_LEN(rows) : 0, out);
}

/* What this process holds in memory, to notice if any of it grows without limit. */
static void put_gauges(const struct status *status, struct buf *out)
{
    const struct settings *s = status->settings;
    const struct number_metric rows[] = {
        {"names", METRIC_GAUGE, "Names in all zones", zones_name_count(s->zones)},
        {"signatures_ahead", METRIC_GAUGE, "Signatures made in advance",
         signatures_count(status->signatures)},
        {"dynamic_names", METRIC_GAUGE, "Names with records set by dynamic update",
         dynamic_count(status->dynamic)},
        {"map_bytes", METRIC_GAUGE, "Memory of the map of networks", netmap_size(s->nearest.map)},
        {"snapshots_retired", METRIC_GAUGE,
         "Replaced snapshots of settings and health that a worker may still answer from",
         status->snapshots.waiting},
        {"snapshots_freed", METRIC_COUNTER,
         "Replaced snapshots of settings and health that were freed", status->snapshots.freed},
        {"settings_held", METRIC_GAUGE,
         "Configurations in memory: the current one, and old ones still in use",
         status->settings_held},
        {"sandbox", METRIC_GAUGE,
         "1: forbidden system calls fail; 0: they are not filtered, or only logged",
         sandbox_is_tight()},
        {"state_good", METRIC_GAUGE,
         "1: updates can be made; 0: the state is damaged, or was not written",
         status->updater && updater_is_good(status->updater)},
    };

    /* the last row needs the updater */
    put_numbers(rows, ARRAY_LEN(rows) - !status->updater, out);
}

static void put_metrics(const struct status *status, struct buf *out)
{
    const struct settings *s = status->settings;

    metrics_write(out, PREFIX, counter_rows, status->counters, status->counter_count);
    metrics_head(out, PREFIX, "replica_up", METRIC_GAUGE, "1: the replica is up");
    for (size_t i = 0; i < s->replica_count; i++) {
        struct probe_report report = probes_report(status->probes, i);
        metrics_sample(out, PREFIX, "replica_up", METRIC_GAUGE, "replica",
                       span_str(s->replicas[i].name), report.health.up);
    }
    put_replica_metrics(status, out);
    put_measured_metrics(status, out);
    latency_write(out, PREFIX "answer_seconds",
                  "Time from reading a UDP query to answering it, which is that of its whole batch",
                  status->counters, status->counter_count, offsetof(struct counters, latency));
    if (status->resolver) {
        resolver_metrics(status->resolver, out);
    }
    put_gauges(status, out);
}

static const char *state_word(const struct probe_report *report, bool draining)
{
    if (draining && report->health.up) {
        return "draining";
    }
    if (!report->probed) {
        return "not probed";
    }
    return report->health.known ? (report->health.up ? "up" : "down") : "unknown";
}

/* Returns why the replica is in its state, or NULL. */
static const char *reason_of(const struct status *status, const struct probe_report *report,
                             size_t replica)
{
    const struct roster_report *r = &status->replicas[replica];

    if (report->health.up && r->draining) {
        return r->drained                                      ? "drained by larderctl"
               : status->settings->replica_rows[replica].drain ? "drained by the configuration"
               : r->lacks_address                              ? "its target has no address"
                                                               : "it says so itself";
    }
    return report->fault;
}

const char *status_state(const struct status *status, size_t replica, const char **reason)
{
    struct probe_report report = probes_report(status->probes, replica);

    *reason = reason_of(status, &report, replica);
    return state_word(&report, status->replicas[replica].draining);
}

/* Adds the replica's share of all answers so far, and the numbers that decide which clients it gets
 * from now on. */
static void add_share(const struct status *status, size_t replica, json_t *row)
{
    struct probe_report report = probes_report(status->probes, replica);
    const struct roster_report *r = &status->replicas[replica];
    uint64_t answers = answers_of(status, roster_slot(status->roster, replica));
    double keep = r->level < 1 ? r->level : 1;

    json_object_set_new(row, "drained", json_boolean(r->drained));
    json_object_set_new(row, "answers", json_integer((json_int_t)answers));
    json_object_set_new(row, "keeps", json_real(keep));
    json_object_set_new(row, "takes", json_real(r->level - keep));
    json_object_set_new(row, "connections", json_integer((json_int_t)report.connections));
    if (report.since_ms) {
        json_object_set_new(row, "since_seconds",
                            json_integer((json_int_t)((status->now - report.since_ms) / 1000)));
    }
    if (report.has_load) {
        json_object_set_new(row, "load",
                            json_pack("{s:f, s:f, s:I, s:b, s:b}", "requests_per_second",
                                      report.meter.requests, "bytes_per_second", report.meter.bytes,
                                      "connections", (json_int_t)report.load.connections,
                                      "overload", (int)report.load.overload, "draining",
                                      (int)report.load.draining));
    }
    if (status->measured.enabled) {
        json_object_set_new(row, "rtt",
                            json_pack("{s:I, s:s?}", "reports", (json_int_t)report.rtt_reports,
                                      "fault", report.rtt_fault));
    }
    if (r->shares) {
        json_object_set_new(row, "fair_share", json_real(r->fair));
        json_object_set_new(row, "of_fair_share", json_real(r->fair > 0 ? r->load / r->fair : 0));
    }
}

static json_t *replicas_json(const struct status *status)
{
    json_t *list = json_array();

    for (size_t i = 0; i < status->settings->replica_count; i++) {
        const struct replica *replica = &status->settings->replicas[i];
        const char *reason;
        const char *state = status_state(status, i, &reason);
        json_t *row =
            json_pack("{s:s, s:s, s:s?, s:I}", "name", replica->name, "state", state, "reason",
                      reason, "capacity", (json_int_t)status->settings->replica_rows[i].capacity);
        json_t *addresses = json_array();
        for (size_t n = 0; n < replica->address_count; n++) {
            char text[IP_TEXT_MAX];
            json_array_append_new(addresses, json_string(ip_text(&replica->addresses[n], text)));
        }
        json_object_set_new(row, "addresses", addresses);
        if (replica->has_location) {
            json_object_set_new(row, "location",
                                json_pack("[f, f]", replica->latitude, replica->longitude));
        }
        add_share(status, i, row);
        json_array_append_new(list, row);
    }
    return list;
}

static json_int_t sum(const struct status *status, size_t at)
{
    return (json_int_t)metrics_sum(status->counters, status->counter_count, at);
}

static json_t *measured_json(const struct status *status)
{
    const struct measure_report *m = &status->measured;
    json_t *all =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "networks",
                  (json_int_t)m->networks, "mapped", (json_int_t)m->mapped, "moved",
                  (json_int_t)m->moved, "rankings", (json_int_t)m->rankings, "bytes",
                  (json_int_t)m->bytes, "lines", (json_int_t)m->lines, "maps", (json_int_t)m->maps,
                  "answers", sum(status, offsetof(struct counters, measured_answers)), "explored",
                  sum(status, offsetof(struct counters, explored_answers)));

    CHECK(all != NULL);
    return all;
}

static json_t *sandbox_json(void)
{
    struct sandbox_report report = sandbox_report();

    return json_pack("{s:s, s:s?, s:b, s:b}", "filter", report.filter, "why", report.why,
                     "no_new_privs", (int)report.no_new_privs, "no_capabilities",
                     (int)report.no_capabilities);
}

static void put_status(const struct status *status, struct buf *out)
{
    const struct settings *s = status->settings;
    json_t *root =
        json_pack("{s:s, s:i, s:i, s:{s:i, s:i, s:i, s:i}, s:{s:I, s:I, s:I, s:I, s:I}}", "version",
                  LARDER_VERSION, "workers", (int)status->counter_count, "names",
                  (int)zones_name_count(s->zones), "map", "prefixes", (int)s->nearest.prefix_count,
                  "networks", (int)s->nearest.network_count, "rankings",
                  (int)s->nearest.ranking_count, "bytes", (int)netmap_size(s->nearest.map),
                  "queries", "udp", sum(status, offsetof(struct counters, udp_queries)), "tcp",
                  sum(status, offsetof(struct counters, tcp_queries)), "steered",
                  sum(status, offsetof(struct counters, steered_answers)), "all_down",
                  sum(status, offsetof(struct counters, all_down_answers)), "dropped",
                  sum(status, offsetof(struct counters, dropped)));
    CHECK(root != NULL);
    if (status->measured.enabled) {
        json_object_set_new(root, "measured", measured_json(status));
    }
    json_object_set_new(root, "sandbox", sandbox_json());
    if (status->refusal.len) {
        json_object_set_new(root, "reload_refused", config_line_json(status->refusal));
    }
    json_object_set_new(root, "replicas", replicas_json(status));
    if (status->updater) {
        bool good = updater_is_good(status->updater);
        json_object_set_new(root, "state", json_string(good ? "good" : "damaged or not written"));
    }
    if (status->dynamic) {
        json_object_set_new(root, "dynamic_names",
                            json_integer((json_int_t)dynamic_count(status->dynamic)));
        json_object_set_new(root, "dynamic", status_dynamic(status->dynamic));
    }
    char *text = json_dumps(root, JSON_INDENT(2));
    CHECK(text != NULL);
    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

const char *status_page(const struct status *status, struct span path, struct span query,
                        struct buf *out)
{
    if (span_eq(path, SPAN("/metrics"))) {
        put_metrics(status, out);
        return "text/plain; version=0.0.4";
    }
    if (span_eq(path, SPAN("/status"))) {
        put_status(status, out);
        return "application/json";
    }
    if (span_eq(path, SPAN("/healthz")) || span_eq(path, SPAN("/readyz"))) {
        buf_printf(out, "ok\n");
        return "text/plain";
    }
    return NULL;
}
