/*
 * server_pages - what the admin's listener shows, and what may be changed there.
 */
#include "dnsredir/server_parts.h"

#include "base/log.h"
#include "dnsredir/admin/explain.h"
#include "dnsredir/admin/status.h"

#include <jansson.h>

/* POST /drain?replica=NAME and /undrain: at once; answered when it is in the state, if there is
 * one. */
static const char *drain_page(struct server *s, bool drain, struct span query, struct buf *out,
                              uint64_t *ticket)
{
    char text[ADMIN_FIELD_MAX];
    size_t len;

    if (!admin_field(query, SPAN("replica"), text, &len)) {
        buf_printf(out, "{\"error\": \"which replica? expected ?replica=NAME\"}\n");
        return admin_refused;
    }
    struct span name = span_of(text, len);
    if (roster_drain(s->roster, name, drain)) {
        buf_printf(out, "{\"error\": \"there is no such replica; larderctl dns lists them\"}\n");
        return admin_refused;
    }
    log_warn(drain ? "replica_drained" : "replica_undrained", "replica=%.*s", SPAN_ARGS(name));
    if (s->state.updater) {
        *ticket = updater_drain(s->state.updater, name, drain);
    }
    server_publish(s);
    json_t *root = json_pack("{s:s%, s:b}", "replica", name.at, name.len, "drained", drain);
    char *json = json_dumps(root, 0);
    buf_printf(out, "%s\n", json);
    free(json);
    json_decref(root);
    return "application/json";
}

static const char *change_page(void *arg, struct span path, struct span query, struct buf *out,
                               uint64_t *ticket)
{
    struct server *s = arg;

    if (span_eq(path, SPAN("/reload"))) {
        server_reload(s);
        return config_page_state(&s->reports, true, out);
    }
    if (span_eq(path, SPAN("/drain"))) {
        return drain_page(s, true, query, out, ticket);
    }
    return span_eq(path, SPAN("/undrain")) ? drain_page(s, false, query, out, ticket) : NULL;
}

static const char *render_status(const struct server *s, const struct status *status,
                                 struct span path, struct span query, struct buf *out)
{
    if (span_eq(path, SPAN("/explain"))) {
        const struct snapshot *snapshot = publish_current(s->publish);
        return explain_page(status, &snapshot->view, query, out);
    }
    return status_page(status, path, query, out);
}

static const char *render_page(void *arg, struct span path, struct span query, struct buf *out)
{
    const struct server *s = arg;
    const void *counters[WORKERS_MAX];
    struct roster_report replicas[REPLICAS_MAX];

    if (span_eq(path, SPAN("/config/settings"))) {
        return config_page_settings(s->settings, &s->reports, s->argc, s->argv, out);
    }
    if (span_eq(path, SPAN("/reload/state"))) {
        return config_page_state(&s->reports, s->reloading, out);
    }
    for (size_t i = 0; i < worker_pool_size(s->workers); i++) {
        counters[i] = worker_pool_counters(s->workers, i);
    }
    roster_report(s->roster, s->probes, uv_now(&s->loop), replicas);
    struct status status = {.settings = s->settings,
                            .refusal = config_refusal(&s->reports),
                            .probes = s->probes,
                            .roster = s->roster,
                            .replicas = replicas,
                            .measured = measure_report(s->measure),
                            .resolver = s->resolver,
                            .standing = &s->standing,
                            .dynamic = s->state.dynamic,
                            .updater = s->state.updater,
                            .snapshots = publish_report(s->publish),
                            .settings_held = s->settings_held,
                            .signatures = s->signing.current,
                            .now = uv_now(&s->loop),
                            .counters = counters,
                            .counter_count = worker_pool_size(s->workers)};
    return render_status(s, &status, path, query, out);
}

static bool is_own_name(void *arg, struct span host)
{
    const struct server *s = arg;
    return config_is_nameserver(s->settings, host);
}

const struct admin_pages server_pages = {
    .render = render_page, .change = change_page, .is_own_name = is_own_name};
