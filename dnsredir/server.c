#include "dnsredir/server.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/inherited.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/sandbox.h"
#include "base/takeover.h"
#include "dnsredir/admin.h"
#include "dnsredir/config.h"
#include "dnsredir/crew.h"
#include "dnsredir/directives_dnssec.h"
#include "dnsredir/explain.h"
#include "dnsredir/measure.h"
#include "dnsredir/resolver.h"
#include "dnsredir/roster.h"
#include "dnsredir/server_sign.h"
#include "dnsredir/server_state.h"
#include "dnsredir/status.h"

#include <signal.h>

/* How often replaced worlds are looked at, while there are any. */
#define COLLECT_MS 20
/* How often ramps and levels are looked at. */
#define LOAD_MS 1000

struct server {
    uv_loop_t loop;
    int argc;
    char **argv;
    bool watchdog;             /* the service manager wants to hear that all loops run */
    struct settings *settings; /* of the current world */
    unsigned *settings_worlds; /* how many worlds hold them */
    size_t settings_held;      /* these, and older ones */
    struct resign resign;
    struct publish *publish;
    struct probes *probes;
    struct roster *roster;
    struct measure *measure;
    struct standing standing; /* of the current world */
    uv_timer_t load, drain;
    struct sip_key cookie_key; /* where settings have none */
    struct crew *crew;
    struct server_state state;
    struct admin *admin;
    struct takeover *takeover; /* NULL: nobody may take our place */
    struct querylog *log;
    struct resolver *resolver; /* NULL until settings want one */
    uv_timer_t collect;
    uv_signal_t signals[4];

    uv_work_t work; /* a reload: everything below is the work's while it runs */
    bool reloading, reload_again, stopping;
    struct settings *loaded;
    struct signatures *loaded_signatures, *loaded_from;
    struct buf errors;

    struct config_report reports; /* what became of reloads */
};

/* ---- worlds ---- */

static void world_free(void *value)
{
    struct world *world = value;

    signatures_unref(&world->signatures);
    measure_leave(&world->measured);
    settings_release(world->settings, world->settings_worlds);
    bound_unref(&world->bound);
    free(world);
}

static void on_collect(uv_timer_t *timer)
{
    struct server *s = container_of(timer, struct server, collect);

    if (publish_collect(s->publish) == 0) {
        uv_timer_stop(timer);
    }
}

/* Makes the settings and the health of this moment what the workers answer from. */
static void publish_world(void *arg)
{
    struct server *s = arg;
    struct world *world = xcalloc(1, sizeof(*world));

    roster_look(s->roster, s->state.bound);
    roster_standing(s->roster, s->probes, uv_now(&s->loop), &world->standing);
    s->standing = world->standing;
    for (size_t i = 0; i < s->settings->replica_count; i++) {
        world->slots[i] = roster_slot(s->roster, i);
    }
    world->resolver = s->settings->recursion ? s->resolver : NULL;
    world->settings = s->settings;
    world->settings_worlds = s->settings_worlds;
    ++*s->settings_worlds;
    world->signatures = signatures_ref(s->resign.current);
    world->measured = measure_join(s->measure);
    world->identity = s->settings->identity;
    if (s->settings->cookies.enabled && world->identity.cookies.count == 0) {
        world->identity.cookies = (struct cookie_secrets){1, {s->cookie_key}};
    }
    world->bound = bound_ref(s->state.bound);
    world->view = (struct view){
        .zones = s->settings->zones,
        .bound = world->bound,
        .nearest = s->settings->nearest.map,
        .rankings = s->settings->nearest.rankings,
        .measured = world->measured,
        .explore = world->measured ? s->settings->measured.share : 0,
        .standing = &world->standing,
        .identity = &world->identity,
        .rates = &s->settings->rates,
        .signatures = world->signatures,
        .recursion = s->settings->recursion,
    };
    publish_set(s->publish, world);
    if (!uv_is_active((uv_handle_t *)&s->collect)) { /* else worlds in a row put it off for ever */
        uv_timer_start(&s->collect, on_collect, COLLECT_MS, COLLECT_MS);
    }
}

/* A new world only when something moved. */
static void on_load(uv_timer_t *timer)
{
    struct server *s = container_of(timer, struct server, load);
    struct standing *standing = xcalloc(1, sizeof(*standing));

    roster_step(s->roster, s->probes, uv_now(&s->loop));
    roster_standing(s->roster, s->probes, uv_now(&s->loop), standing);
    if (memcmp(standing, &s->standing, sizeof(*standing)) != 0) {
        publish_world(s);
    }
    free(standing);
    resign_check(&s->resign, &s->loop, s->settings, s->settings_worlds);
    if (s->watchdog && crew_alive(s->crew)) {
        notify_alive();
    }
}

/* The thread begins when it is first wanted, and stays. */
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

/* Takes over settings and signatures: new probes, which know what the old ones knew, and a new
 * world. */
static void adopt(struct server *s, struct settings *settings, struct signatures *signatures)
{
    struct probes *old = s->probes;

    s->settings = settings;
    resign_adopt(&s->resign, signatures);
    s->settings_worlds = xcalloc(1, sizeof(*s->settings_worlds));
    settings->held = &s->settings_held;
    s->settings_held++;
    log_level_set(settings->log_level);
    roster_adopt(s->roster, settings);
    s->probes = probes_new(&s->loop, settings, old, publish_world, s);
    probes_close(&old);
    measure_adopt(s->measure, settings, s->settings_worlds, s->roster, s->probes);
    adopt_resolver(s, settings);
    publish_world(s);
    log_info("settings_loaded",
             "names=%zu prefixes=%zu networks=%zu rankings=%zu replicas=%zu "
             "signatures=%zu",
             zones_name_count(settings->zones), settings->nearest.prefix_count,
             settings->nearest.network_count, settings->nearest.ranking_count,
             settings->replica_count, signatures_count(signatures));
}

/* ---- reload ---- */

static void reload_work(uv_work_t *work)
{
    struct server *s = container_of(work, struct server, work);
    if (settings_load(s->argc, s->argv, &s->errors, NULL, &s->loaded) == 0) {
        s->loaded_signatures = settings_sign(s->loaded, s->loaded_from);
    }
}

static void reload_begin(struct server *s);

static void reload_done(uv_work_t *work, int status)
{
    struct server *s = container_of(work, struct server, work);

    s->reloading = false;
    signatures_unref(&s->loaded_from);
    if (s->stopping) {
        settings_free(&s->loaded);
        signatures_unref(&s->loaded_signatures);
    } else if (s->loaded) {
        if (!settings_same_sockets(s->settings, s->loaded)) {
            log_warn(
                "restart_needed", "reason=%s",
                "listen, workers, tcp, admin, state, sandbox, takeover or log.queries changed");
        }
        adopt(s, s->loaded, s->loaded_signatures);
        config_report_taken(&s->reports);
        s->loaded = NULL;
        s->loaded_signatures = NULL;
    } else {
        config_report_refused(&s->reports, buf_span(&s->errors));
    }
    buf_fini(&s->errors);
    s->errors = BUF_INIT;
    if (s->stopping) {
        return;
    }
    notify("READY=1");
    if (s->reload_again) {
        reload_begin(s);
    }
}

static void reload_begin(struct server *s)
{
    s->reload_again = s->reloading;
    if (!s->reloading) {
        s->reloading = true;
        s->loaded_from = signatures_ref(s->resign.current);
        notify_reloading();
        CHECK(uv_queue_work(&s->loop, &s->work, reload_work, reload_done) == 0);
    }
}

/* ---- the control loop ---- */

static void stop(struct server *s)
{
    if (s->stopping) {
        return;
    }
    s->stopping = true;
    takeover_close(&s->takeover);
    takeover_forget();
    updater_stop(s->state.updater); /* what it has written is answered before the sockets close */
    crew_stop(s->crew);
    resign_stop(&s->resign);
    measure_stop(s->measure);
    probes_close(&s->probes);
    admin_close(&s->admin);
    uv_close((uv_handle_t *)&s->collect, NULL);
    uv_close((uv_handle_t *)&s->load, NULL);
    uv_close((uv_handle_t *)&s->drain, NULL);
    for (size_t i = 0; i < ARRAY_LEN(s->signals); i++) {
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    }
}

static void on_end_signal(uv_signal_t *handle, int number)
{
    struct server *s = handle->data;

    log_info("stopping", "signal=%d", number);
    if (!takeover_is_ready(s->takeover)) { /* else the service goes on, with the newer one */
        notify("STOPPING=1");
    }
    stop(s);
}

static void on_reload_signal(uv_signal_t *handle, int number)
{
    struct server *s = handle->data;

    if (!takeover_is_ready(s->takeover)) {
        reload_begin(s);
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

/* POST /drain?replica=NAME and /undrain: at once; answered when it is in the state, if there is
 * one. */
static const char *change_page(void *arg, struct span path, struct span query, struct buf *out,
                               uint64_t *ticket)
{
    struct server *s = arg;
    bool drain = span_eq(path, SPAN("/drain"));
    struct span name = query;

    if (span_eq(path, SPAN("/reload"))) {
        reload_begin(s);
        return config_page_state(&s->reports, true, out);
    }
    if (!drain && !span_eq(path, SPAN("/undrain"))) {
        return NULL;
    }
    if (!span_starts(query, SPAN("replica="))) {
        buf_printf(out, "{\"error\": \"which replica? expected ?replica=NAME\"}\n");
        return ADMIN_REFUSED;
    }
    name = span_skip(query, 8);
    if (roster_drain(s->roster, name, drain)) {
        buf_printf(out, "{\"error\": \"no replica is called so; larderctl dns lists them\"}\n");
        return ADMIN_REFUSED;
    }
    log_warn(drain ? "replica_drained" : "replica_undrained", "replica=%.*s", SPAN_ARGS(name));
    if (s->state.updater) {
        *ticket = updater_drain(s->state.updater, name, drain);
    }
    publish_world(s);
    buf_printf(out, "{\"replica\": \"%.*s\", \"drained\": %s}\n", SPAN_ARGS(name),
               drain ? "true" : "false");
    return "application/json";
}

static const char *render_page(void *arg, struct span path, struct span query, struct buf *out)
{
    const struct server *s = arg;
    const void *counters[WORKERS_MAX];

    for (size_t i = 0; i < crew_size(s->crew); i++) {
        counters[i] = crew_counters(s->crew, i);
    }
    struct status status = {.settings = s->settings,
                            .probes = s->probes,
                            .roster = s->roster,
                            .measured = measure_report(s->measure),
                            .resolver = s->resolver,
                            .standing = &s->standing,
                            .bound = s->state.bound,
                            .updater = s->state.updater,
                            .worlds = publish_report(s->publish),
                            .settings_held = s->settings_held,
                            .signatures = s->resign.current,
                            .now = uv_now(&s->loop),
                            .counters = counters,
                            .counter_count = crew_size(s->crew)};
    if (span_eq(path, SPAN("/explain"))) {
        const struct world *world = publish_current(s->publish);
        return explain_page(&status, &world->view, query, out);
    }
    if (span_eq(path, SPAN("/config/settings"))) {
        return config_page_settings(s->settings, &s->reports, s->argc, s->argv, out);
    }
    if (span_eq(path, SPAN("/reload/state"))) {
        return config_page_state(&s->reports, s->reloading, out);
    }
    return status_page(&status, path, query, out);
}

static bool is_own_name(void *arg, struct span host)
{
    const struct server *s = arg;
    return config_is_nameserver(s->settings, host);
}

static const struct admin_pages admin_pages = {
    .render = render_page, .change = change_page, .is_own_name = is_own_name};

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

/* By then what has been read is answered, and connections have been closed as they are always. */
static uint64_t drain_ms(const struct settings *settings)
{
    uint64_t resolved = settings->recursion ? settings->resolver.limits.timeout_ms : 0;

    return resolved + settings->tcp.idle + settings->tcp.message;
}

/* It reads the sockets now. */
static void on_succeeded(void *arg)
{
    struct server *s = arg;

    s->watchdog = false;
    admin_close(&s->admin);
    crew_drain(s->crew);
    uv_timer_start(&s->drain, on_drained, drain_ms(s->settings), 0);
}

static int offer(struct server *s)
{
    const struct takeover_events events = {.on_gift = on_gift, .on_ready = on_succeeded, .arg = s};

    return s->settings->takeover
               ? takeover_open(&s->loop, s->settings->takeover, "larder-dns", &events, &s->takeover)
               : 0;
}

static int start(struct server *s)
{
    uv_timer_init(&s->loop, &s->collect);
    uv_timer_init(&s->loop, &s->load);
    uv_timer_init(&s->loop, &s->drain);
    s->roster = roster_new();
    s->measure = measure_new(&s->loop, publish_world, s);
    int err = state_open(&s->state, s->settings, s->publish, &s->loop, s->roster);
    adopt(s, s->settings, settings_sign(s->settings, NULL));
    uv_timer_start(&s->load, on_load, LOAD_MS, LOAD_MS);
    watch_signal(s, 0, SIGTERM, on_end_signal);
    watch_signal(s, 1, SIGINT, on_end_signal);
    watch_signal(s, 2, SIGHUP, on_reload_signal);
    watch_signal(s, 3, SIGUSR1, on_reopen_signal);
    err = err || !s->state.updater ? err : updater_start(s->state.updater);
    int log_err = querylog_open(s->settings->log.queries, s->settings->workers, &s->log);
    err = err ? err : log_err;
    if (log_err) {
        log_error("query_log_failed", "file=%s err=%s", s->settings->log.queries, err_text(err));
    } else if (!err) {
        err = crew_open(&(struct crew_order){.settings = s->settings,
                                             .publish = s->publish,
                                             .log = s->log,
                                             .updater = s->state.updater},
                        &s->crew);
    }
    if (!err && s->settings->admin.len) {
        err = admin_open(&s->loop, &s->settings->admin, &admin_pages, s, &s->admin);
        if (err) {
            log_error("listen_failed", "address=%s err=%s", s->settings->admin.text, err_text(err));
        }
    }
    return err ? err : offer(s);
}

static void fini(struct server *s)
{
    crew_join(s->crew);
    resolver_close(&s->resolver);
    crew_free(&s->crew);
    querylog_close(&s->log);
    updater_free(&s->state.updater);
    CHECK(uv_loop_close(&s->loop) == 0);
    publish_free(&s->publish);
    bound_unref(&s->state.bound);
    roster_free(&s->roster);
    signatures_unref(&s->resign.current);
    measure_free(&s->measure);
    buf_fini(&s->errors);
    config_report_fini(&s->reports);
}

int server_run(int argc, char **argv, struct settings *settings)
{
    struct server s = {.argc = argc, .argv = argv, .cookie_key = sip_key_random()};

    signal(SIGPIPE, SIG_IGN);
    CHECK(uv_loop_init(&s.loop) == 0);
    s.publish = publish_new(settings->workers + 1, world_free);
    s.settings = settings;
    config_report_init(&s.reports, settings);
    s.resign.changed = publish_world;
    s.resign.arg = &s;
    s.state.changed = publish_world;
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
