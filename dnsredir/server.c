#include "dnsredir/server_parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/inherited.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/notify.h"
#include "base/sandbox.h"
#include "base/thread.h"
#include "dnsredir/config/directives_dnssec.h"

#include <signal.h>

/* How often the server tries to free replaced snapshots, while there are any. */
#define COLLECT_MS 20
/* How often ramps and load levels are computed. */
#define LOAD_MS 1000

/* ---- snapshots ---- */

static void snapshot_free(void *value)
{
    struct snapshot *snapshot = value;

    signatures_unref(&snapshot->signatures);
    measure_leave(&snapshot->measured);
    settings_release(snapshot->settings, snapshot->settings_holders);
    dynamic_unref(&snapshot->dynamic);
    free(snapshot);
}

static void on_collect(uv_timer_t *timer)
{
    struct server *s = container_of(timer, struct server, collect);

    if (publish_collect(s->publish) == 0) {
        uv_timer_stop(timer);
    }
}

/* The answers' view of the server's parts; it lives as long as they do. */
static struct view view_of(const struct server *s, const struct snapshot *snapshot)
{
    return (struct view){
        .zones = s->settings->zones,
        .dynamic = snapshot->dynamic,
        .nearest = s->settings->nearest.map,
        .rankings = s->settings->nearest.rankings,
        .measured = snapshot->measured,
        .explore = snapshot->measured ? s->settings->measured.share : 0,
        .standing = &snapshot->standing,
        .identity = &snapshot->identity,
        .rates = &s->settings->rates,
        .signatures = snapshot->signatures,
        .recursion = s->settings->recursion,
    };
}

static struct snapshot *snapshot_new(struct server *s)
{
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

    roster_standing(s->roster, s->probes, uv_now(&s->loop), &snapshot->standing);
    for (size_t i = 0; i < s->settings->replica_count; i++) {
        snapshot->slots[i] = roster_slot(s->roster, i);
    }
    snapshot->resolver = s->settings->recursion ? s->resolver : NULL;
    snapshot->settings = s->settings;
    snapshot->settings_holders = s->settings_holders;
    ++*s->settings_holders;
    snapshot->signatures = signatures_ref(s->signing.current);
    snapshot->measured = measure_join(s->measure);
    snapshot->identity = s->settings->identity;
    if (s->settings->cookies.mode != COOKIES_OFF && snapshot->identity.cookies.count == 0) {
        snapshot->identity.cookies = (struct cookie_secrets){1, {s->cookie_key}};
    }
    snapshot->dynamic = dynamic_ref(s->state.dynamic);
    snapshot->view = view_of(s, snapshot);
    return snapshot;
}

void server_publish(void *arg)
{
    struct server *s = arg;

    roster_note_dynamic(s->roster, s->state.dynamic);
    struct snapshot *snapshot = snapshot_new(s);
    s->standing = snapshot->standing;
    publish_set(s->publish, snapshot);
    /* only if the timer is idle, or a series of snapshots would put it off for ever */
    if (!uv_is_active((uv_handle_t *)&s->collect)) {
        uv_timer_start(&s->collect, on_collect, COLLECT_MS, COLLECT_MS);
    }
}

static bool is_same(const struct standing *a, const struct standing *b)
{
    return memcmp(&a->open, &b->open, sizeof(a->open)) == 0 &&
           memcmp(&a->alive, &b->alive, sizeof(a->alive)) == 0 &&
           memcmp(&a->throttled, &b->throttled, sizeof(a->throttled)) == 0 &&
           a->any_throttled == b->any_throttled && memcmp(a->keep, b->keep, sizeof(a->keep)) == 0 &&
           memcmp(a->take, b->take, sizeof(a->take)) == 0;
}

/* Publishes a new snapshot only if a level has moved. */
static void on_load(uv_timer_t *timer)
{
    struct server *s = container_of(timer, struct server, load);
    struct standing *standing = xcalloc(1, sizeof(*standing));

    roster_step(s->roster, s->probes, uv_now(&s->loop));
    roster_standing(s->roster, s->probes, uv_now(&s->loop), standing);
    if (!is_same(standing, &s->standing)) {
        server_publish(s);
    }
    free(standing);
    server_sign_check(&s->signing, &s->loop, s->settings, s->settings_holders);
    if (s->watchdog && worker_pool_alive(s->workers)) {
        notify_alive();
    }
}

/* Starts the resolver's thread when settings want it for the first time; it stays then. */
static void adopt_resolver(struct server *s, struct settings *settings)
{
    if (!settings->recursor) {
        return;
    }
    if (!s->resolver) {
        s->resolver = resolver_open();
    }
    resolver_adopt(s->resolver, &settings->recursor, &settings->resolver.limits);
}

void server_adopt(struct server *s, struct settings *settings, struct signatures *signatures)
{
    struct probes *old = s->probes;

    s->settings = settings;
    server_sign_adopt(&s->signing, signatures);
    s->settings_holders = xcalloc(1, sizeof(*s->settings_holders));
    settings->held = &s->settings_held;
    s->settings_held++;
    log_level_set(settings->log_level);
    roster_adopt(s->roster, settings);
    s->probes = probes_new(&s->loop, settings, old, server_publish, s);
    probes_close(&old);
    measure_adopt(s->measure, settings, s->settings_holders, s->roster, s->probes);
    adopt_resolver(s, settings);
    server_publish(s);
    log_info("settings_loaded",
             "names=%zu prefixes=%zu networks=%zu rankings=%zu replicas=%zu "
             "signatures=%zu",
             zones_name_count(settings->zones), settings->nearest.prefix_count,
             settings->nearest.network_count, settings->nearest.ranking_count,
             settings->replica_count, signatures_count(signatures));
}

/* ---- the control loop ---- */

static void close_signals(void *arg)
{
    struct server *s = arg;

    for (size_t i = 0; i < ARRAY_LEN(s->signals); i++) {
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    }
}

static void stop(struct server *s)
{
    if (s->stopping) {
        return;
    }
    s->stopping = true;
    takeover_close(&s->takeover);
    takeover_forget();
    /* first, so that what the updater has written is answered before the sockets close */
    updater_stop(s->state.updater);
    worker_pool_stop(s->workers);
    server_sign_stop(&s->signing);
    measure_stop(s->measure);
    probes_close(&s->probes);
    admin_close(&s->admin);
    uv_close((uv_handle_t *)&s->collect, NULL);
    uv_close((uv_handle_t *)&s->load, NULL);
    uv_close((uv_handle_t *)&s->drain, NULL);
    thread_ignore_signals(close_signals, s);
}

static void on_end_signal(uv_signal_t *handle, int number)
{
    struct server *s = handle->data;

    log_info("stopping", "signal=%d", number);
    if (!takeover_is_ready(s->takeover)) { /* else the service goes on with the newer process */
        notify("STOPPING=1");
    }
    stop(s);
}

static void on_reload_signal(uv_signal_t *handle, int number)
{
    struct server *s = handle->data;

    if (!takeover_is_ready(s->takeover)) {
        server_reload(s);
    }
}

static void on_reopen_signal(uv_signal_t *handle, int number)
{
    const struct server *s = handle->data;
    querylog_reopen(s->log);
}

static void watch_signal(struct server *s, size_t slot, int number, uv_signal_cb callback)
{
    CHECK(uv_signal_init(&s->loop, &s->signals[slot]) == 0);
    s->signals[slot].data = s;
    uv_signal_start(&s->signals[slot], callback, number);
}

static void on_remembered(void *arg, uint64_t ticket, bool good)
{
    const struct server *s = arg;
    admin_release(s->admin, ticket, good);
}

/* ---- a newer process ---- */

static void on_gift(void *arg, struct takeover_gift *gift)
{
    const struct server *s = arg;

    gift->holds_store = s->state.updater != NULL;
}

static void on_drained(uv_timer_t *timer)
{
    stop(container_of(timer, struct server, drain));
}

/* How long draining takes: until what has been read is answered, and idle connections are closed.
 */
static uint64_t drain_ms(const struct settings *settings)
{
    uint64_t resolved = settings->recursion ? settings->resolver.limits.timeout_ms : 0;

    return resolved + 2 * settings->tcp.timeout;
}

/* The newer process reads the sockets now. */
static void on_succeeded(void *arg)
{
    struct server *s = arg;

    s->watchdog = false;
    admin_close(&s->admin);
    worker_pool_drain(s->workers);
    uv_timer_start(&s->drain, on_drained, drain_ms(s->settings), 0);
}

static int offer(struct server *s)
{
    const struct takeover_events events = {.on_gift = on_gift, .on_ready = on_succeeded, .arg = s};

    return s->settings->takeover
               ? takeover_open(&s->loop, s->settings->takeover, "larder-dns", &events, &s->takeover)
               : 0;
}

/* Opens what answers queries, and the query log. */
static int open_workers(struct server *s)
{
    int err = querylog_open(s->settings->log.queries, s->settings->workers, &s->log);

    if (err) {
        log_error("query_log_failed", "file=%s err=%s", s->settings->log.queries, err_text(err));
        return err;
    }
    return worker_pool_open(&(struct worker_pool_shared){.settings = s->settings,
                                                         .publish = s->publish,
                                                         .log = s->log,
                                                         .updater = s->state.updater},
                            &s->workers);
}

static int open_admin(struct server *s)
{
    if (s->settings->admin.len == 0) {
        return 0;
    }
    int err = admin_open(&s->loop, &s->settings->admin, &server_pages, s, &s->admin);
    if (err) {
        log_error("listen_failed", "address=%s err=%s hint=%s", s->settings->admin.text,
                  err_text(err), err_listen_hint(err));
    }
    return err;
}

static int start(struct server *s)
{
    uv_timer_init(&s->loop, &s->collect);
    uv_timer_init(&s->loop, &s->load);
    uv_timer_init(&s->loop, &s->drain);
    s->roster = roster_new();
    s->measure = measure_new(&s->loop, server_publish, s);
    int err = state_open(&s->state, s->settings, s->publish, &s->loop, s->roster);
    server_adopt(s, s->settings, settings_sign(s->settings, NULL));
    uv_timer_start(&s->load, on_load, LOAD_MS, LOAD_MS);
    watch_signal(s, 0, SIGTERM, on_end_signal);
    watch_signal(s, 1, SIGINT, on_end_signal);
    watch_signal(s, 2, SIGHUP, on_reload_signal);
    watch_signal(s, 3, SIGUSR1, on_reopen_signal);
    if (!err && s->state.updater) {
        err = updater_start(s->state.updater);
    }
    if (!err) {
        err = open_workers(s);
    }
    if (!err) {
        err = open_admin(s);
    }
    return err ? err : offer(s);
}

static void fini(struct server *s)
{
    worker_pool_join(s->workers);
    resolver_close(&s->resolver);
    worker_pool_free(&s->workers);
    querylog_close(&s->log);
    updater_free(&s->state.updater);
    CHECK(uv_loop_close(&s->loop) == 0);
    publish_free(&s->publish);
    dynamic_unref(&s->state.dynamic);
    roster_free(&s->roster);
    signatures_unref(&s->signing.current);
    measure_free(&s->measure);
    buf_fini(&s->errors);
    config_report_fini(&s->reports);
}

int server_run(int argc, char **argv, struct settings *settings)
{
    struct server s = {.argc = argc, .argv = argv, .cookie_key = sip_key_random()};

    signal(SIGPIPE, SIG_IGN);
    CHECK(uv_loop_init(&s.loop) == 0);
    s.publish = publish_new(settings->workers + 1, snapshot_free);
    s.settings = settings;
    config_report_init(&s.reports, settings);
    s.signing.changed = server_publish;
    s.signing.arg = &s;
    s.state.changed = server_publish;
    s.state.remembered = on_remembered;
    s.state.arg = &s;
    sandbox_begin(settings->sandbox);
    int err = start(&s);
    if (err) {
        stop(&s);
    } else {
        sandbox_enter();
        inherited_warn();
        takeover_tell_ready();
        takeover_watch(&s.loop, &(struct takeover_end){0});
        s.watchdog = notify_watchdog_ms() > 0;
    }
    uv_run(&s.loop, UV_RUN_DEFAULT);
    fini(&s);
    return err;
}
