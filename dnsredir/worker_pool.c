#include "dnsredir/worker_pool.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/config/descriptors.h"
#include "dnsredir/listener/tcp.h"
#include "dnsredir/listener/udp.h"
#include "dnsredir/resolver/resolver.h"
#include "dnsredir/state/update_intake.h"

#include <stdatomic.h>

/* One worker and its thread. */
struct member {
    struct worker worker;
    struct udp **udps;
    size_t udp_count;
    struct tcp *tcp;
    uv_async_t stop, drain;
    uv_async_t pulse;
    atomic_bool alive; /* the worker has answered the last pulse */
    pthread_t id;
};

struct worker_pool {
    size_t count;
    struct member members[];
};

static void on_drain(uv_async_t *async)
{
    struct member *m = container_of(async, struct member, drain);

    for (size_t i = 0; i < m->udp_count; i++) {
        udp_drain(m->udps[i]);
    }
    if (m->tcp) {
        tcp_drain(m->tcp);
    }
}

static void on_stop(uv_async_t *async)
{
    struct member *m = container_of(async, struct member, stop);

    /* the updater's own wake-up may come later than this one */
    update_intake_deliver(m->worker.intake);
    for (size_t i = 0; i < m->udp_count; i++) {
        udp_close(&m->udps[i]);
    }
    tcp_close(&m->tcp);
    inbox_close(m->worker.inbox); /* after the listeners, whose clients wait for it */
    update_intake_close(m->worker.intake);
    uv_close((uv_handle_t *)&m->pulse, NULL);
    uv_close((uv_handle_t *)&m->drain, NULL);
    uv_close((uv_handle_t *)async, NULL);
}

static void on_pulse(uv_async_t *async)
{
    atomic_store_explicit(&container_of(async, struct member, pulse)->alive, true,
                          memory_order_relaxed);
}

static void *run(void *arg)
{
    struct member *m = arg;

    uv_run(&m->worker.loop, UV_RUN_DEFAULT);
    return NULL;
}

static int listen_all(struct member *m, const struct settings *settings)
{
    int err = 0;

    m->udps = xcalloc(settings->listen_count, sizeof(struct udp *));
    for (size_t i = 0; i < settings->listen_count && !err; i++) {
        err = udp_open(&m->worker, &settings->listen[i], &m->udps[i]);
        if (err) {
            log_error("listen_failed", "address=%s err=%s hint=%s", settings->listen[i].text,
                      err_text(err), err_listen_hint(err));
        } else {
            m->udp_count++;
        }
    }
    if (!err) {
        err = tcp_open(&m->worker, settings, &m->tcp);
        if (err) {
            log_error("listen_failed", "proto=tcp err=%s", err_text(err));
        }
    }
    return err;
}

static int member_open(struct member *m, const struct worker_pool_shared *shared, size_t number,
                       size_t connections)
{
    CHECK(uv_loop_init(&m->worker.loop) == 0);
    CHECK(uv_async_init(&m->worker.loop, &m->stop, on_stop) == 0);
    CHECK(uv_async_init(&m->worker.loop, &m->pulse, on_pulse) == 0);
    CHECK(uv_async_init(&m->worker.loop, &m->drain, on_drain) == 0);
    m->alive = true;
    m->worker.publish = shared->publish;
    m->worker.number = number;
    m->worker.connections = connections;
    m->worker.udp_sockets = shared->settings->listen_count;
    m->worker.limiter = limiter_new();
    m->worker.signer = signer_new();
    m->worker.log = shared->log;
    m->worker.inbox = inbox_open(&m->worker);
    m->worker.intake = shared->updater ? update_intake_open(&m->worker, shared->updater) : NULL;
    return listen_all(m, shared->settings);
}

int worker_pool_open(const struct worker_pool_shared *shared, struct worker_pool **out)
{
    size_t connections = descriptors_for_connections(shared->settings);
    size_t workers = shared->settings->workers;
    struct worker_pool *pool = xcalloc(1, sizeof(*pool) + workers * sizeof(*pool->members));
    int err = 0;

    while (pool->count < workers && !err) {
        err = member_open(&pool->members[pool->count], shared, pool->count, connections);
        pool->count++;
    }
    for (size_t i = 0; i < pool->count; i++) {
        struct member *m = &pool->members[i];
        CHECK(thread_start(&m->id, "loop", run, m) == 0);
    }
    *out = pool;
    return err;
}

bool worker_pool_alive(struct worker_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        if (!atomic_load_explicit(&pool->members[i].alive, memory_order_relaxed)) {
            return false;
        }
    }
    for (size_t i = 0; i < pool->count; i++) {
        atomic_store_explicit(&pool->members[i].alive, false, memory_order_relaxed);
        uv_async_send(&pool->members[i].pulse);
    }
    return true;
}

void worker_pool_drain(struct worker_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        uv_async_send(&pool->members[i].drain);
    }
}

void worker_pool_stop(struct worker_pool *pool)
{
    for (size_t i = 0; pool && i < pool->count; i++) {
        uv_async_send(&pool->members[i].stop);
    }
}

void worker_pool_join(struct worker_pool *pool)
{
    for (size_t i = 0; pool && i < pool->count; i++) {
        pthread_join(pool->members[i].id, NULL);
    }
}

static void member_fini(struct member *m)
{
    CHECK(uv_loop_close(&m->worker.loop) == 0);
    limiter_free(&m->worker.limiter);
    signer_free(&m->worker.signer);
    inbox_free(&m->worker.inbox);
    update_intake_free(&m->worker.intake);
    free(m->udps);
}

void worker_pool_free(struct worker_pool **pool)
{
    for (size_t i = 0; *pool && i < (*pool)->count; i++) {
        member_fini(&(*pool)->members[i]);
    }
    free(*pool);
    *pool = NULL;
}

size_t worker_pool_size(const struct worker_pool *pool)
{
    return pool ? pool->count : 0;
}

const struct counters *worker_pool_counters(const struct worker_pool *pool, size_t number)
{
    CHECK(number < pool->count);
    return &pool->members[number].worker.counters;
}
