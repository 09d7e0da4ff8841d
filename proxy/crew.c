/* crew - the worker threads: each with its loop and its listeners, from start to drain. */
#include "proxy/server_parts.h"

#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "proxy/client/accesslog_set.h"
#include "proxy/client/connect.h"
#include "proxy/client/exchange.h"
#include "proxy/client/listener.h"
#include "proxy/mirror/token.h"
#include "proxy/origin/fetch.h"
#include "proxy/origin/upstream.h"
#include "proxy/toplist.h"

enum { SWEEP_DRAINING_MS = 100 };

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

/* ---- what it is told ---- */

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
    tokens_free(&worker->tokens);
    loop_stop(worker->loop);
}

static void say_quiet(struct crew *crew)
{
    struct server *server = crew->worker.server;

    if (crew->quiet) {
        return;
    }
    crew->quiet = true;
    if (atomic_fetch_add(&server->quiet, 1) + 1 == server->crew_count) {
        loop_post(server->loop, &server->all_quiet);
    }
}

/* While draining: once a worker's only clients are tunnels, no further request can begin, and the
 * cache is no longer used. Fetches that nobody waits for are aborted first; clients of other
 * workers may wait for some. */
static void look_whether_quiet(struct crew *crew)
{
    struct worker *worker = &crew->worker;

    if (!worker->draining || crew->quiet || !exchanges_are_tunnels(worker)) {
        return;
    }
    if (!list_empty(&worker->fetches)) {
        fetch_abort_unawaited(worker);
        return;
    }
    say_quiet(crew);
}

static bool is_done(const struct crew *crew)
{
    const struct worker *worker = &crew->worker;
    bool idle =
        worker->client_count == 0 && list_empty(&worker->tunnels) && list_empty(&worker->fetches);

    return worker->draining && (idle || loop_now_ms(worker->loop) >= crew->drain_until);
}

static void on_sweep(struct timeout *timeout)
{
    struct crew *crew = container_of(timeout, struct crew, sweep);
    struct worker *worker = &crew->worker;

    accesslog_flush(worker->log);
    exchanges_count(worker);
    toplist_publish(worker->toplist, loop_wall(worker->loop));
    look_whether_quiet(crew);
    if (is_done(crew)) {
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
    clients_drain(worker, worker->server->succeeded);
    timeout_set(worker->loop, &crew->sweep, 0);
}

static void on_stop(struct letter *letter)
{
    struct crew *crew = container_of(letter, struct crew, stop);

    crew->worker.draining = true;
    crew->drain_until = 0;
    timeout_set(crew->worker.loop, &crew->sweep, 0);
}

static void on_pulse(struct letter *letter)
{
    struct crew *crew = container_of(letter, struct crew, pulse);

    atomic_store_explicit(&crew->alive, true, memory_order_relaxed);
}

static struct accesslog_writer *new_log_writer(const struct settings *settings)
{
    size_t count;
    const struct accesslog_out *outs = accesslog_set_of(settings, &count);

    return accesslog_writer_new(outs, count);
}

static void on_reload(struct letter *letter)
{
    struct crew *crew = container_of(letter, struct crew, reload);
    struct worker *worker = &crew->worker;
    struct settings *next = atomic_exchange(&crew->next, NULL);

    if (next == NULL) {
        return;
    }
    accesslog_writer_free(&worker->log); /* the old settings own its styles */
    settings_unref(&worker->settings);
    worker->settings = next;
    worker->log = new_log_writer(next);
    worker->accounts = worker->server->accounts; /* set before the letter was posted */
    for (size_t i = 0; i < crew->listener_count; i++) {
        listener_renew(crew->listeners[i]);
    }
    struct upstream_settings upstream = upstream_settings_of(next);
    upstreams_reconfigure(worker->upstreams, &upstream);
}

/* ---- making, running, ending ---- */

static int open_listeners(struct crew *crew)
{
    struct worker *worker = &crew->worker;
    const struct settings *settings = worker->settings;

    for (size_t i = 0; i < settings->listen_count && i < LISTENERS_MAX; i++) {
        int err = listener_open(worker, &settings->listen[i], &crew->listeners[i]);
        if (err) {
            log_error("listen_failed", "address=%s err=%s hint=%s", settings->listen[i].at.text,
                      err_text(err), err_listen_hint(err));
            return err;
        }
        crew->listener_count++;
    }
    return 0;
}

int crew_init(struct crew *crew, struct server *server, unsigned number)
{
    struct worker *worker = &crew->worker;

    worker->number = number;
    worker->server = server;
    worker->cache = server->cache;
    worker->auth = server->auth;
    worker->accounts = server->accounts;
    worker->settings = settings_ref(server->settings);
    list_init(&worker->clients);
    list_init(&worker->exchanges);
    list_init(&worker->fetches);
    list_init(&worker->tunnels);
    list_init(&worker->row);
    list_init(&worker->exchange_pool);
    worker->secret = sip_key_random();
    crew->reload.call = on_reload;
    crew->drain.call = on_drain;
    crew->stop.call = on_stop;
    crew->pulse.call = on_pulse;
    crew->alive = true;
    timeout_init(&crew->sweep, on_sweep);
    worker->toplist = toplist_new(server->started);
    worker->log = new_log_writer(server->settings);
    int err = loop_new(&worker->loop);
    if (err) {
        return err;
    }
    struct upstream_settings upstream = upstream_settings_of(server->settings);
    err = upstreams_new(worker->loop, &upstream, &worker->upstreams);
    return err ? err : open_listeners(crew);
}

static void *crew_thread(void *arg)
{
    struct crew *crew = arg;
    struct worker *worker = &crew->worker;
    struct server *server = worker->server;

    timeout_set(worker->loop, &crew->sweep, SWEEP_MS);
    loop_run(worker->loop);
    accesslog_flush(worker->log);
    say_quiet(crew); /* others may still have tunnels */
    if (atomic_fetch_add(&server->stopped, 1) + 1 == server->crew_count) {
        loop_post(server->loop, &server->all_stopped);
    }
    return NULL;
}

int crew_start(struct crew *crew)
{
    int err = thread_start(&crew->thread, "loop", crew_thread, crew);

    crew->running = !err;
    return err;
}

void crew_fini(struct crew *crew)
{
    struct worker *worker = &crew->worker;
    struct settings *not_taken = atomic_exchange(&crew->next, NULL);

    settings_unref(&not_taken);
    if (worker->loop && !crew->running) {
        crew_end(crew); /* it never ran: one turn closes its handles */
        loop_run(worker->loop);
    }
    exchange_pool_clear(worker);
    accesslog_writer_free(&worker->log);
    toplist_free(&worker->toplist);
    own_addrs_fini(&worker->own_addrs);
    loop_free(&worker->loop);
    settings_unref(&worker->settings);
}
