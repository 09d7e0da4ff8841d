#include "dnsredir/status.h"

#include "base/check.h"

#include <jansson.h>
#include <stdlib.h>

#define PREFIX "larder_dns_"

static void put_metrics(const struct status *status, struct buf *out)
{
    const struct settings *s = status->settings;

    metrics_write(out, PREFIX, counter_rows, status->counters, status->counter_count);
    metrics_head(out, PREFIX, "replica_up", METRIC_GAUGE, "1: the replica is given to clients");
    for (size_t i = 0; i < s->replica_count; i++) {
        struct probe_report report = probes_report(status->probes, i);
        metrics_sample(out, PREFIX, "replica_up", METRIC_GAUGE, "replica",
                       span_str(s->replicas[i].name), report.health.up);
    }
    metrics_head(out, PREFIX, "names", METRIC_GAUGE, "Names in all zones");
    metrics_sample(out, PREFIX, "names", METRIC_GAUGE, NULL, SPAN_EMPTY,
                   zones_name_count(s->zones));
    metrics_head(out, PREFIX, "map_bytes", METRIC_GAUGE, "Memory of the map of networks");
    metrics_sample(out, PREFIX, "map_bytes", METRIC_GAUGE, NULL, SPAN_EMPTY,
                   netmap_size(s->nearest.map));
}

static const char *state_word(const struct probe_report *report)
{
    if (!report->probed) {
        return "not probed";
    }
    return report->health.known ? (report->health.up ? "up" : "down") : "unknown";
}

static json_t *replicas_json(const struct status *status)
{
    json_t *list = json_array();

    for (size_t i = 0; i < status->settings->replica_count; i++) {
        const struct replica *replica = &status->settings->replicas[i];
        struct probe_report report = probes_report(status->probes, i);
        json_t *row = json_pack("{s:s, s:s, s:s?, s:I}", "name", replica->name, "state",
                                state_word(&report), "reason", report.fault, "capacity",
                                (json_int_t)status->settings->replica_rows[i].capacity);
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
        json_array_append_new(list, row);
    }
    return list;
}

static json_int_t sum(const struct status *status, size_t at)
{
    return (json_int_t)metrics_sum(status->counters, status->counter_count, at);
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
    json_object_set_new(root, "replicas", replicas_json(status));
    char *text = json_dumps(root, JSON_INDENT(2));
    CHECK(text != NULL);
    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

const char *status_page(const struct status *status, struct span path, struct buf *out)
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
