/* worker_thread - a worker with its thread, its loop and its listeners, from start to drain. */
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
        .resolve_ms = settings->timeouts.connect,
        .connect_ms = settings->timeouts.connect,
        .idle_ms = settings->timeouts.origin_idle,
        .tunnel_idle_ms = settings->timeouts.tunnel_idle,
        .attempt_delay_ms = 250,
        .idle_per_origin = settings->limits.idle_per_origin,
        .nameservers = (const char *const *)settings->nameservers,
        .nameserver_count = settings->nameserver_count,
    };
}

/* ---- letters to the worker ---- */

static void close_listeners(struct worker_thread *thread)
{
    for (size_t i = 0; i < thread->listener_count; i++) {
        listener_close(&thread->listeners[i]);
    }
    thread->listener_count = 0;
}

static void worker_thread_end(struct worker_thread *thread)
{
    struct worker *worker = &thread->worker;

    timeout_clear(&thread->sweep);
    close_listeners(thread);
    clients_close(worker);
    connect_abort_all(worker);
    fetch_abort_all(worker);
    upstreams_free(&worker->upstreams);
    tokens_free(&worker->tokens);
    loop_stop(worker->loop);
}

static void report_quiet(struct worker_thread *thread)
{
    struct server *server = thread->worker.server;

    if (thread->quiet) {
        return;
    }
    thread->quiet = true;
    if (atomic_fetch_add(&server->quiet, 1) + 1 == server->worker_count) {
        loop_post(server->loop, &server->all_quiet);
    }
}

/* While draining: once a worker's only clients are tunnels, no further request can begin, and the
 * cache is no longer used. Fetches that nobody waits for are aborted first; clients of other
 * workers may wait for some. */
static void check_quiet(struct worker_thread *thread)
{
    struct worker *worker = &thread->worker;

    if (!worker->draining || thread->quiet || !exchanges_are_tunnels(worker)) {
        return;
    }
    if (!list_empty(&worker->fetches)) {
        fetch_abort_unawaited(worker);
        return;
    }
    report_quiet(thread);
}

static bool is_done(const struct worker_thread *thread)
{
    const struct worker *worker = &thread->worker;
    bool idle =
        worker->client_count == 0 && list_empty(&worker->tunnels) && list_empty(&worker->fetches);

    return worker->draining && (idle || loop_now_ms(worker->loop) >= thread->drain_until);
}

static void on_sweep(struct timeout *timeout)
{
    struct worker_thread *thread = container_of(timeout, struct worker_thread, sweep);
    struct worker *worker = &thread->worker;

    accesslog_flush(worker->log);
    exchanges_count(worker);
    toplist_publish(worker->toplist, loop_wall(worker->loop));
    check_quiet(thread);
    if (is_done(thread)) {
        worker_thread_end(thread);
        return;
    }
    timeout_set(worker->loop, &thread->sweep, worker->draining ? SWEEP_DRAINING_MS : SWEEP_MS);
}

static void on_drain(struct letter *letter)
{
    struct worker_thread *thread = container_of(letter, struct worker_thread, drain);
    struct worker *worker = &thread->worker;

    worker->draining = true;
    thread->drain_until = loop_now_ms(worker->loop) + worker->settings->timeouts.drain;
    close_listeners(thread);
    clients_drain(worker, worker->server->succeeded);
    timeout_set(worker->loop, &thread->sweep, 0);
}

static void on_stop(struct letter *letter)
{
    struct worker_thread *thread = container_of(letter, struct worker_thread, stop);

    thread->worker.draining = true;
    thread->drain_until = 0;
    timeout_set(thread->worker.loop, &thread->sweep, 0);
}

static void on_pulse(struct letter *letter)
{
    struct worker_thread *thread = container_of(letter, struct worker_thread, pulse);

    atomic_store_explicit(&thread->alive, true, memory_order_relaxed);
}

static struct accesslog_writer *new_log_writer(const struct settings *settings)
{
    size_t count;
    const struct accesslog_out *outs = accesslog_set_of(settings, &count);

    return accesslog_writer_new(outs, count);
}

static void on_reload(struct letter *letter)
{
    struct worker_thread *thread = container_of(letter, struct worker_thread, reload);
    struct worker *worker = &thread->worker;
    struct settings *next = atomic_exchange(&thread->next, NULL);

    if (next == NULL) {
        return;
    }
    accesslog_writer_free(&worker->log); /* its styles belong to the old settings */
    settings_unref(&worker->settings);
    worker->settings = next;
    worker->log = new_log_writer(next);
    worker->accounts = worker->server->accounts; /* set before the letter was posted */
    for (size_t i = 0; i < thread->listener_count; i++) {
        listener_renew(thread->listeners[i]);
    }
    struct upstream_settings upstream = upstream_settings_of(next);
    upstreams_reconfigure(worker->upstreams, &upstream);
}

/* ---- start, run, end ---- */

static int open_listeners(struct worker_thread *thread)
{
    struct worker *worker = &thread->worker;
    const struct settings *settings = worker->settings;

    for (size_t i = 0; i < settings->listen_count && i < LISTENERS_MAX; i++) {
        int err = listener_open(worker, &settings->listen[i], &thread->listeners[i]);
        if (err) {
            log_error("listen_failed", "address=%s err=%s hint=%s", settings->listen[i].at.text,
                      err_text(err), err_listen_hint(err));
            return err;
        }
        thread->listener_count++;
    }
    return 0;
}

int worker_thread_init(struct worker_thread *thread, struct server *server, unsigned number)
{
    struct worker *worker = &thread->worker;

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
    thread->reload.call = on_reload;
    thread->drain.call = on_drain;
    thread->stop.call = on_stop;
    thread->pulse.call = on_pulse;
    thread->alive = true;
    timeout_init(&thread->sweep, on_sweep);
    worker->toplist = toplist_new(server->started);
    worker->log = new_log_writer(server->settings);
    int err = loop_new(&worker->loop);
    if (err) {
        return err;
    }
    struct upstream_settings upstream = upstream_settings_of(server->settings);
    err = upstreams_new(worker->loop, &upstream, &worker->upstreams);
    return err ? err : open_listeners(thread);
}

static void *run(void *arg)
{
    struct worker_thread *thread = arg;
    struct worker *worker = &thread->worker;
    struct server *server = worker->server;

    timeout_set(worker->loop, &thread->sweep, SWEEP_MS);
    loop_run(worker->loop);
    accesslog_flush(worker->log);
    report_quiet(thread); /* this worker has no clients left, others may still have tunnels */
    if (atomic_fetch_add(&server->stopped, 1) + 1 == server->worker_count) {
        loop_post(server->loop, &server->all_stopped);
    }
    return NULL;
}

int worker_thread_start(struct worker_thread *thread)
{
    int err = thread_start(&thread->id, "loop", run, thread);

    thread->running = !err;
    return err;
}

void worker_thread_fini(struct worker_thread *thread)
{
    struct worker *worker = &thread->worker;
    struct settings *not_taken = atomic_exchange(&thread->next, NULL);

    settings_unref(&not_taken);
    if (worker->loop && !thread->running) {
        worker_thread_end(thread); /* it never ran, so one turn of the loop closes its handles */
        loop_run(worker->loop);
    }
    exchange_pool_clear(worker);
    accesslog_writer_free(&worker->log);
    toplist_free(&worker->toplist);
    own_addrs_fini(&worker->own_addrs);
    loop_free(&worker->loop);
    settings_unref(&worker->settings);
}
