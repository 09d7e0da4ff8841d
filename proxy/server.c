#include "proxy/server.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "base/inherited.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/notify.h"
#include "base/sandbox.h"
#include "base/thread.h"
#include "proxy/access/account.h"
#include "proxy/access/auth.h"
#include "proxy/admin/admin.h"
#include "proxy/client/accesslog_set.h"
#include "proxy/client/listener.h"
#include "proxy/admin/dnsstatus.h"
#include "proxy/admin/history.h"
#include "proxy/admin/purge.h"
#include "proxy/roundtrips.h"
#include "proxy/server_parts.h"
#include "proxy/admin/status.h"

#include <signal.h>

/* Seconds that the exit waits for the readers of log pipes. */
enum { LOG_SECONDS = 5 };

size_t server_reopen_logs(struct server *server, struct buf *errors)
{
    size_t before = buf_len(errors);
    size_t count = accesslog_set_reopen(server->settings, errors);
    struct span rest = span_skip(buf_span(errors), before);

    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        log_warn("access_log_not_reopened", "what=%.*s", SPAN_ARGS(line));
    }
    return count;
}

/* ---- signals ---- */

static void tell_all(struct server *server, size_t offset)
{
    for (size_t i = 0; i < server->worker_count; i++) {
        struct worker_thread *thread = &server->workers[i];
        loop_post(thread->worker.loop, (struct letter *)((char *)thread + offset));
    }
}

void server_drain(struct server *server)
{
    server->draining = true;
    tell_all(server, offsetof(struct worker_thread, drain));
}

static void on_terminate(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    if (server->draining) {
        log_info("stop", "signal=%d", number);
        tell_all(server, offsetof(struct worker_thread, stop));
        return;
    }
    log_info("drain", "signal=%d", number);
    notify("STOPPING=1");
    server_drain(server);
}

static void on_reload(struct letter *letter)
{
    struct server *server = container_of(letter, struct server, reload);
    struct buf errors = BUF_INIT;

    if (server->draining) {
        return; /* workers that have ended would not receive the letter */
    }
    notify_reloading();
    server_reload(server, &errors);
    notify("READY=1");
    buf_fini(&errors);
}

/* Further signals during a reload cause one more reload: that reads the files after all of them. */
static void on_hangup(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    loop_post(server->loop, &server->reload);
}

static void on_user(uv_signal_t *signal, int number)
{
    struct buf errors = BUF_INIT;

    server_reopen_logs(signal->data, &errors);
    buf_fini(&errors);
}

static int watch_signals(struct server *server)
{
    static const struct {
        int number;
        uv_signal_cb call;
    } watched[] = {
        {SIGTERM, on_terminate},
        {SIGINT, on_terminate},
        {SIGHUP, on_hangup},
        {SIGUSR1, on_user},
    };

    for (size_t i = 0; i < ARRAY_LEN(watched); i++) {
        uv_signal_t *signal = &server->signals[i];
        int err = uv_signal_init(loop_uv(server->loop), signal);
        if (err) {
            return err;
        }
        server->signal_count++;
        signal->data = server;
        uv_signal_start(signal, watched[i].call, watched[i].number);
    }
    return 0;
}

/* ---- start and end ---- */

static void close_signals(void *arg)
{
    struct server *server = arg;

    for (size_t i = 0; i < server->signal_count; i++) {
        uv_close((uv_handle_t *)&server->signals[i], NULL);
    }
    server->signal_count = 0;
}

static void close_handles(struct server *server)
{
    thread_ignore_signals(close_signals, server);
    server_withdraw(server);
    admin_close(&server->admin);
    dnsstatus_free(&server->dnsstatus);
}

static void on_all_stopped(struct letter *letter)
{
    struct server *server = container_of(letter, struct server, all_stopped);

    timeout_clear(&server->trim);
    timeout_clear(&server->tick);
    timeout_clear(&server->late);
    close_handles(server);
    loop_stop(server->loop);
}

static int probe_listeners(const struct settings *settings)
{
    int err = 0;

    for (size_t i = 0; !err && i < settings->listen_count; i++) {
        err = listener_probe(&settings->listen[i].at);
        if (err) {
            log_error("listen_failed", "address=%s err=%s hint=%s", settings->listen[i].at.text,
                      err_text(err), err_listen_hint(err));
        }
    }
    return err;
}

static int open_cache(struct server *server)
{
    static const enum s3_favor favors[] = {
        [FAVOR_OBJECTS] = S3_OBJECTS, [FAVOR_BOTH] = S3_BOTH, [FAVOR_BYTES] = S3_BYTES};
    const struct settings *settings = server->settings;
    struct store_dir *dirs = xcalloc(settings->store_count, sizeof(*dirs));
    struct cache_options options = {
        .dirs = dirs,
        .dir_count = settings->store_count,
        .favor = favors[settings->store_favor],
        .memory = settings->memory_size,
        .object_max = settings->object_max,
        .late = server_late_secret(server),
    };
    for (size_t i = 0; i < settings->store_count; i++) {
        dirs[i] = (struct store_dir){settings->stores[i].path, settings->stores[i].size};
    }
    int err = cache_open(&options, &server->cache);
    free(dirs);

    if (err) {
        log_error("store_failed", "path=%s directories=%zu err=%s",
                  settings->store_count ? settings->stores[0].path : "(memory)",
                  settings->store_count, err_text(err));
    }
    return err;
}

static int open_access_logs(struct server *server)
{
    struct buf errors = BUF_INIT;
    int err = accesslog_set_open(server->settings, NULL, &errors);

    server_log_errors("access_log_failed", &errors, 0);
    buf_fini(&errors);
    return err;
}

static void on_trim(struct timeout *timeout)
{
    struct server *server = container_of(timeout, struct server, trim);

    memory_trim();
    server_roundtrips(server);
    timeout_set(server->loop, timeout, SWEEP_MS);
}

/* Waits until shortly after the next second begins, so that each second gets a point. */
static void await_second(struct server *server)
{
    timeout_set(server->loop, &server->tick, 1000 - clock_mono_ms() % 1000 + TICK_AFTER_MS);
}

/* Tells the service manager that we are alive, as long as every loop handles letters. While this
 * process ends, workers may end before it: then the time limit for stopping applies. */
static void keep_watchdog(struct server *server)
{
    bool alive = true;

    if (!server->watchdog) {
        return;
    }
    for (size_t i = 0; i < server->worker_count && !server->draining; i++) {
        alive = alive && atomic_load_explicit(&server->workers[i].alive, memory_order_relaxed);
    }
    if (!alive) {
        return;
    }
    notify_alive();
    for (size_t i = 0; i < server->worker_count && !server->draining; i++) {
        struct worker_thread *thread = &server->workers[i];
        atomic_store_explicit(&thread->alive, false, memory_order_relaxed);
        loop_post(thread->worker.loop, &thread->pulse);
    }
}

static void on_tick(struct timeout *timeout)
{
    struct server *server = container_of(timeout, struct server, tick);
    struct history_totals totals;

    status_totals(server, &totals);
    history_add(server->history, &totals, clock_mono_ms() / 1000);
    keep_watchdog(server);
    await_second(server);
}

/* Makes the parts of a server that cannot fail. */
static struct server *server_make(struct settings *settings, int argc, char **argv)
{
    struct server *server = xcalloc(1, sizeof(*server));

    server->argc = argc;
    server->argv = argv;
    server->settings = settings;
    server->started = clock_wall();
    server->all_stopped.call = on_all_stopped;
    server->reload.call = on_reload;
    server->auth = auth_new();
    timeout_init(&server->trim, on_trim);
    timeout_init(&server->tick, on_tick);
    server->history = history_new(clock_mono_ms() / 1000);
    server->roundtrips = roundtrips_new();
    return server;
}

static int make_workers(struct server *server)
{
    int err = 0;

    server->workers = xcalloc((size_t)server->settings->workers, sizeof(*server->workers));
    for (unsigned i = 0; !err && i < server->settings->workers; i++) {
        server->worker_count++;
        err = worker_thread_init(&server->workers[i], server, i);
    }
    return err;
}

/* Opens the admin listener, which no client may be connected to. */
static int open_admin(struct server *server)
{
    int err = admin_open(server, &server->admin);

    for (size_t i = 0; i < server->worker_count; i++) {
        own_addrs_add_listener(&server->workers[i].worker.own_addrs, admin_socket(server->admin));
    }
    if (!err) {
        /* all workers have the same */
        own_addrs_copy_listeners(&server->own_addrs, &server->workers[0].worker.own_addrs);
    }
    return err;
}

int server_new(struct settings **slot, int argc, char **argv, struct server **out)
{
    struct settings *settings = *slot;

    *slot = NULL;
    *out = NULL;
    log_level_set(settings->log_level);
    files_raise(settings->workers, settings->store_count);
    struct server *server = server_make(settings, argc, argv);
    int err = open_cache(server);
    err = err ? err : server_open_accounts(server, settings);
    server_tell_accounts(server);
    err = err ? err : open_access_logs(server);
    err = err ? err : probe_listeners(settings);
    err = err ? err : loop_new(&server->loop);
    if (!err) {
        server->dnsstatus = dnsstatus_new(server->loop);
        err = make_workers(server);
    }
    err = err ? err : watch_signals(server);
    err = err ? err : open_admin(server);
    err = err ? err : server_offer(server);
    if (err) {
        server_free(&server);
    }
    *out = server;
    return err;
}

void server_free(struct server **slot)
{
    struct server *server = *slot;

    *slot = NULL;
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < server->worker_count; i++) {
        worker_thread_fini(&server->workers[i]);
    }
    free(server->workers);
    free(server->refusal);
    if (server->loop) {
        purge_settle(server);
        close_handles(server);
        loop_stop(server->loop);
        loop_run(server->loop);
        loop_free(&server->loop);
    }
    own_addrs_fini(&server->own_addrs);
    auth_free(&server->auth);
    accounts_close(&server->accounts);
    roundtrips_free(&server->roundtrips);
    history_free(&server->history);
    cache_close(&server->cache);
    settings_unref(&server->settings);
    if (!accesslog_wait(LOG_SECONDS)) {
        log_warn("access_log_stuck", "seconds=%d", LOG_SECONDS);
    }
    free(server);
}

/* ---- running ---- */

int server_run(struct server *server)
{
    sandbox_enter();
    for (size_t i = 0; i < server->worker_count; i++) {
        int err = worker_thread_start(&server->workers[i]);
        if (err) {
            return err;
        }
    }
    const struct settings *settings = server->settings;
    log_info("ready", "listen=%s workers=%zu store=%s directories=%zu", settings->listen[0].at.text,
             server->worker_count, settings->store_count ? settings->stores[0].path : "(memory)",
             settings->store_count);
    inherited_warn();
    server_is_ready(server);
    server->watchdog = notify_watchdog_ms() > 0;
    timeout_set(server->loop, &server->trim, SWEEP_MS);
    await_second(server);
    loop_run(server->loop);
    for (size_t i = 0; i < server->worker_count; i++) {
        pthread_join(server->workers[i].id, NULL);
    }
    return 0;
}

/* ---- for the admin listener ---- */

struct cache *server_cache(struct server *server)
{
    return server->cache;
}

struct settings *server_settings(struct server *server)
{
    return server->settings;
}

struct loop *server_loop(struct server *server)
{
    return server->loop;
}

size_t server_worker_count(const struct server *server)
{
    return server->worker_count;
}

struct worker *server_worker(struct server *server, size_t number)
{
    CHECK(number < server->worker_count);
    return &server->workers[number].worker;
}

const struct own_addrs *server_own_addrs(struct server *server)
{
    own_addrs_refresh(&server->own_addrs, loop_now_ms(server->loop));
    return &server->own_addrs;
}

struct roundtrips *server_roundtrips(struct server *server)
{
    struct rtt_sample samples[256];
    uint64_t now = clock_mono_ms() / 1000;

    for (size_t i = 0; i < server->worker_count; i++) {
        struct rtt_ring *ring = &server->workers[i].worker.rtts;
        /* bounded, as a worker may be filling the ring at the same time */
        for (size_t left = RTT_RING; left;) {
            size_t count = rtt_ring_take(ring, samples, ARRAY_LEN(samples));
            for (size_t n = 0; n < count; n++) {
                roundtrips_note(server->roundtrips, samples[n].network, samples[n].us, now);
            }
            left = count == ARRAY_LEN(samples) ? left - count : 0;
        }
    }
    return server->roundtrips;
}

struct dnsstatus *server_dnsstatus(struct server *server)
{
    return server->dnsstatus;
}

struct history *server_history(struct server *server)
{
    return server->history;
}

struct accounts *server_accounts(struct server *server)
{
    return server->accounts;
}

struct auth *server_auth(struct server *server)
{
    return server->auth;
}

int64_t server_started(const struct server *server)
{
    return server->started;
}

bool server_is_draining(const struct server *server)
{
    return server->draining;
}
