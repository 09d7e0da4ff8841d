#include "proxy/server.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/notify.h"
#include "proxy/admin.h"
#include "proxy/client/accesslog.h"
#include "proxy/client/connect.h"
#include "proxy/client/exchange.h"
#include "proxy/client/listener.h"
#include "proxy/files.h"
#include "proxy/origin/fetch.h"
#include "proxy/origin/upstream.h"

#include <ifaddrs.h>
#include <pthread.h>

enum { LISTENERS_MAX = 64, SWEEP_MS = 1000, SWEEP_DRAINING_MS = 100 };

/* A worker with what only the server needs to know of it. */
struct crew {
    struct worker worker;
    pthread_t thread;
    bool running;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct letter reload, drain, stop;
    _Atomic(struct settings *) next; /* to be taken over by the reload letter */
    struct timeout sweep;            /* once a second: access log; while draining: done yet? */
    uint64_t drain_until;
};

struct server {
    int argc;
    char **argv;
    struct settings *settings;
    struct cache *cache;
    struct accesslog *log; /* NULL: none */
    struct loop *loop;
    struct admin *admin;
    struct ip *own;
    size_t own_count;
    struct crew *crews;
    size_t crew_count;
    size_t bearable_clients; /* that each worker has descriptors for */
    atomic_size_t stopped;   /* workers that have ended */
    struct letter all_stopped;
    struct timeout trim; /* once a second: memory that is not needed any more */
    uv_signal_t signals[5];
    size_t signal_count;
    int64_t started;
    bool draining;
    atomic_uint_fast64_t reloads;
};

/* ---- a worker's thread ---- */

static struct upstream_settings upstream_settings_of(const struct settings *settings)
{
    return (struct upstream_settings){
        .h1 = {.limits = {.target = settings->limits.target,
                          .head = settings->limits.head,
                          .fields = settings->limits.fields},
               .times = {.body_ms = settings->timeouts.origin_body,
                         .first_byte_ms = settings->timeouts.first_byte,
                         .idle_ms = settings->timeouts.origin_idle}},
        .resolve_ms = settings->timeouts.resolve,
        .connect_ms = settings->timeouts.connect,
        .idle_ms = settings->timeouts.origin_idle,
        .tunnel_idle_ms = settings->timeouts.tunnel_idle,
        .attempt_delay_ms = 250,
        .idle_per_origin = settings->limits.idle_per_origin,
        .nameservers = (const char *const *)settings->nameservers,
        .nameserver_count = settings->nameserver_count,
    };
}

static void close_listeners(struct crew *crew)
{
    for (size_t i = 0; i < crew->listener_count; i++) {
        listener_close(&crew->listeners[i]);
    }
    crew->listener_count = 0;
}

static void crew_end(struct crew *crew)
{
    struct worker *worker = &crew->worker;

    timeout_clear(&crew->sweep);
    close_listeners(crew);
    clients_close(worker);
    connect_abort_all(worker);
    fetch_abort_all(worker);
    upstreams_free(&worker->upstreams);
    loop_stop(worker->loop);
}

static void on_sweep(struct timeout *timeout)
{
    struct crew *crew = container_of(timeout, struct crew, sweep);
    struct worker *worker = &crew->worker;

    accesslog_flush(worker->log);
    if (worker->draining && ((worker->client_count == 0 && list_empty(&worker->tunnels)) ||
                             loop_now_ms(worker->loop) >= crew->drain_until)) {
        crew_end(crew);
        return;
    }
    timeout_set(worker->loop, &crew->sweep, worker->draining ? SWEEP_DRAINING_MS : SWEEP_MS);
}

static void on_drain(struct letter *letter)
{
    struct crew *crew = container_of(letter, struct crew, drain);
    struct worker *worker = &crew->worker;

    worker->draining = true;
    crew->drain_until = loop_now_ms(worker->loop) + worker->settings->timeouts.drain;
    close_listeners(crew);
    clients_drain(worker);
    timeout_set(worker->loop, &crew->sweep, 0);
}

static void on_stop(struct letter *letter)
{
    struct crew *crew = container_of(letter, struct crew, stop);

    crew->worker.draining = true;
    crew->drain_until = 0;
    timeout_set(crew->worker.loop, &crew->sweep, 0);
}

/* Clients are refused one by one before descriptors run out: then the store, the log and the
 * administrator would fail too. */
static void limit_clients(struct worker *worker)
{
    size_t bearable = worker->server->bearable_clients;
    uint64_t wanted = worker->settings->limits.connections;

    worker->client_max = wanted < bearable ? (size_t)wanted : bearable;
}

static void on_reload(struct letter *letter)
{
    struct crew *crew = container_of(letter, struct crew, reload);
    struct worker *worker = &crew->worker;
    struct settings *next = atomic_exchange(&crew->next, NULL);

    if (next == NULL) {
        return;
    }
    settings_unref(&worker->settings);
    worker->settings = next;
    limit_clients(worker);
    struct upstream_settings upstream = upstream_settings_of(next);
    upstreams_reconfigure(worker->upstreams, &upstream);
}

static void *worker_thread(void *arg)
{
    struct crew *crew = arg;
    struct worker *worker = &crew->worker;
    struct server *server = worker->server;

    timeout_set(worker->loop, &crew->sweep, SWEEP_MS);
    loop_run(worker->loop);
    accesslog_flush(worker->log);
    if (atomic_fetch_add(&server->stopped, 1) + 1 == server->crew_count) {
        loop_post(server->loop, &server->all_stopped);
    }
    return NULL;
}

/* ---- making ---- */

static int open_listeners(struct crew *crew)
{
    struct worker *worker = &crew->worker;
    const struct settings *settings = worker->settings;

    for (size_t i = 0; i < settings->listen_count && i < LISTENERS_MAX; i++) {
        int err = listener_open(worker, &settings->listen[i], &crew->listeners[i]);
        if (err) {
            log_error("listen_failed", "address=%s err=%s", settings->listen[i].text,
                      err_text(err));
            return err;
        }
        crew->listener_count++;
    }
    return 0;
}

static int probe_listeners(const struct settings *settings)
{
    int err = 0;

    for (size_t i = 0; !err && i < settings->listen_count; i++) {
        err = listener_probe(&settings->listen[i]);
        if (err) {
            log_error("listen_failed", "address=%s err=%s", settings->listen[i].text,
                      err_text(err));
        }
    }
    return err;
}

static int crew_init(struct crew *crew, struct server *server, unsigned number)
{
    struct worker *worker = &crew->worker;

    worker->number = number;
    worker->server = server;
    worker->cache = server->cache;
    worker->own = server->own;
    worker->own_count = server->own_count;
    worker->settings = settings_ref(server->settings);
    list_init(&worker->clients);
    list_init(&worker->exchanges);
    list_init(&worker->fetches);
    list_init(&worker->tunnels);
    list_init(&worker->exchange_pool);
    worker->secret = sip_key_random();
    limit_clients(worker);
    crew->reload.call = on_reload;
    crew->drain.call = on_drain;
    crew->stop.call = on_stop;
    timeout_init(&crew->sweep, on_sweep);
    worker->log = accesslog_writer_new(server->log);
    int err = loop_new(&worker->loop);
    if (err) {
        return err;
    }
    struct upstream_settings upstream = upstream_settings_of(server->settings);
    err = upstreams_new(worker->loop, &upstream, &worker->upstreams);
    return err ? err : open_listeners(crew);
}

static void crew_fini(struct crew *crew)
{
    struct worker *worker = &crew->worker;

    if (worker->loop && !crew->running) {
        crew_end(crew); /* never ran: its handles are closed by one turn */
        loop_run(worker->loop);
    }
    exchange_pool_clear(worker);
    accesslog_writer_free(&worker->log);
    loop_free(&worker->loop);
    settings_unref(&worker->settings);
}

/* Addresses of this machine: a proxy that may be asked for itself loops. */
static void find_own_addresses(struct server *server)
{
    struct ifaddrs *all = NULL;
    size_t count = 0;

    if (getifaddrs(&all) != 0) {
        return;
    }
    for (struct ifaddrs *at = all; at; at = at->ifa_next) {
        count++;
    }
    server->own = xcalloc(count, sizeof(*server->own));
    for (struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (at->ifa_addr &&
            (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6)) {
            server->own[server->own_count++] = ip_of_sockaddr(at->ifa_addr);
        }
    }
    freeifaddrs(all);
}

static int open_cache(struct server *server)
{
    const struct settings *settings = server->settings;
    struct store_dir *dirs = xcalloc(settings->store_count, sizeof(*dirs));
    struct cache_options options = {
        .dirs = dirs,
        .dir_count = settings->store_count,
        .memory = settings->memory_size,
        .object_max = settings->object_max,
    };
    for (size_t i = 0; i < settings->store_count; i++) {
        dirs[i] = (struct store_dir){settings->stores[i].path, settings->stores[i].size};
    }
    int err = cache_open(&options, &server->cache);
    free(dirs);

    if (err) {
        log_error("store_failed", "path=%s directories=%zu err=%s",
                  settings->store_count ? settings->stores[0].path : "(memory)",
                  settings->store_count,
                  err == ERR_BUSY ? "another process has it" : err_text(err));
    }
    return err;
}

static int open_access_log(struct server *server)
{
    const char *path = server->settings->access_log;
    int err = accesslog_open(path, &server->log);

    if (err) {
        log_error("access_log_failed", "path=%s err=%s", path, err_text(err));
    }
    return err;
}

static void on_trim(struct timeout *timeout)
{
    struct server *server = container_of(timeout, struct server, trim);

    memory_trim();
    timeout_set(server->loop, timeout, SWEEP_MS);
}

static void on_all_stopped(struct letter *letter);
static int watch_signals(struct server *server);

int server_new(struct settings *settings, int argc, char **argv, struct server **out)
{
    struct server *server = xcalloc(1, sizeof(*server));

    *out = NULL;
    server->argc = argc;
    server->argv = argv;
    server->settings = settings_ref(settings);
    server->bearable_clients = files_clients(files_raise(), settings->workers);
    server->started = clock_wall();
    server->all_stopped.call = on_all_stopped;
    timeout_init(&server->trim, on_trim);
    find_own_addresses(server);
    int err = open_cache(server);
    err = err ? err : open_access_log(server);
    err = err ? err : probe_listeners(settings);
    err = err ? err : loop_new(&server->loop);
    if (!err) {
        server->crews = xcalloc((size_t)settings->workers, sizeof(*server->crews));
    }
    for (unsigned i = 0; !err && i < settings->workers; i++) {
        server->crew_count++;
        err = crew_init(&server->crews[i], server, i);
    }
    err = err ? err : watch_signals(server);
    err = err ? err : admin_open(server, &server->admin);
    if (err) {
        server_free(&server);
    }
    *out = server;
    return err;
}

static void close_handles(struct server *server)
{
    for (size_t i = 0; i < server->signal_count; i++) {
        uv_close((uv_handle_t *)&server->signals[i], NULL);
    }
    server->signal_count = 0;
    admin_close(&server->admin);
}

void server_free(struct server **slot)
{
    struct server *server = *slot;

    *slot = NULL;
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < server->crew_count; i++) {
        crew_fini(&server->crews[i]);
    }
    free(server->crews);
    if (server->loop) {
        close_handles(server);
        loop_stop(server->loop);
        loop_run(server->loop);
        loop_free(&server->loop);
    }
    accesslog_close(&server->log);
    cache_close(&server->cache);
    settings_unref(&server->settings);
    free(server->own);
    free(server);
}

/* ---- signals ---- */

static void tell_all(struct server *server, size_t offset)
{
    for (size_t i = 0; i < server->crew_count; i++) {
        struct crew *crew = &server->crews[i];
        loop_post(crew->worker.loop, (struct letter *)((char *)crew + offset));
    }
}

static void on_terminate(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    if (server->draining) {
        log_info("stop", "signal=%d", number);
        tell_all(server, offsetof(struct crew, stop));
        return;
    }
    server->draining = true;
    log_info("drain", "signal=%d", number);
    notify("STOPPING=1");
    tell_all(server, offsetof(struct crew, drain));
}

static bool same_listeners(const struct settings *a, const struct settings *b)
{
    bool same = a->listen_count == b->listen_count && a->workers == b->workers;

    for (size_t i = 0; same && i < a->listen_count; i++) {
        same = strcmp(a->listen[i].text, b->listen[i].text) == 0;
    }
    return same;
}

int server_reload(struct server *server, struct buf *errors)
{
    struct settings *next;
    int err = settings_load(server->argc, server->argv, errors, &next);

    if (err) {
        log_error("reload_refused", "errors=%.*s", SPAN_ARGS(buf_span(errors)));
        return err;
    }
    if (!same_listeners(server->settings, next)) {
        log_warn("reload_partial", "why=%s", "listen and workers take effect at the next start");
    }
    for (size_t i = 0; i < server->crew_count; i++) {
        struct crew *crew = &server->crews[i];
        struct settings *old = atomic_exchange(&crew->next, settings_ref(next));
        settings_unref(&old);
        loop_post(crew->worker.loop, &crew->reload);
    }
    settings_unref(&server->settings);
    server->settings = next;
    atomic_fetch_add(&server->reloads, 1);
    log_info("reloaded", "sites=%zu access=%zu", next->site_count, next->access_count);
    return 0;
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;
    struct buf errors = BUF_INIT;

    notify_reloading();
    server_reload(server, &errors);
    notify("READY=1");
    buf_fini(&errors);
}

static void on_user(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    accesslog_reopen(server->log);
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

/* ---- running ---- */

static void on_all_stopped(struct letter *letter)
{
    struct server *server = container_of(letter, struct server, all_stopped);

    timeout_clear(&server->trim);
    close_handles(server);
    loop_stop(server->loop);
}

int server_run(struct server *server)
{
    for (size_t i = 0; i < server->crew_count; i++) {
        struct crew *crew = &server->crews[i];
        int err = pthread_create(&crew->thread, NULL, worker_thread, crew);
        if (err) {
            return -err;
        }
        crew->running = true;
    }
    const struct settings *settings = server->settings;
    log_info("ready", "listen=%s workers=%zu store=%s directories=%zu", settings->listen[0].text,
             server->crew_count, settings->store_count ? settings->stores[0].path : "(memory)",
             settings->store_count);
    notify("READY=1");
    timeout_set(server->loop, &server->trim, SWEEP_MS);
    loop_run(server->loop);
    for (size_t i = 0; i < server->crew_count; i++) {
        pthread_join(server->crews[i].thread, NULL);
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
    return server->crew_count;
}

struct worker *server_worker(struct server *server, size_t number)
{
    CHECK(number < server->crew_count);
    return &server->crews[number].worker;
}

int64_t server_started(const struct server *server)
{
    return server->started;
}

struct accesslog *server_log(struct server *server)
{
    return server->log;
}

uint64_t server_reloads(const struct server *server)
{
    return atomic_load(&server->reloads);
}

bool server_is_draining(const struct server *server)
{
    return server->draining;
}
