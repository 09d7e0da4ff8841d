#include "dnsredir/crew.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/descriptors.h"
#include "dnsredir/desk.h"
#include "dnsredir/resolver.h"
#include "dnsredir/tcp.h"
#include "dnsredir/udp.h"

#include <stdatomic.h>

/* One worker and its thread. */
struct member {
    struct worker worker;
    struct udp **udps;
    size_t udp_count;
    struct tcp *tcp;
    uv_async_t stop, drain;
    uv_async_t pulse;
    atomic_bool alive; /* it has answered the last pulse */
    pthread_t id;
};

struct crew {
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

    desk_deliver(m->worker.desk); /* its own wake may come behind this one */
    for (size_t i = 0; i < m->udp_count; i++) {
        udp_close(&m->udps[i]);
    }
    tcp_close(&m->tcp);
    inbox_close(m->worker.inbox); /* after those who wait for it */
    desk_close(m->worker.desk);
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

static int member_open(struct member *m, const struct crew_order *order, size_t number,
                       size_t connections)
{
    CHECK(uv_loop_init(&m->worker.loop) == 0);
    CHECK(uv_async_init(&m->worker.loop, &m->stop, on_stop) == 0);
    CHECK(uv_async_init(&m->worker.loop, &m->pulse, on_pulse) == 0);
    CHECK(uv_async_init(&m->worker.loop, &m->drain, on_drain) == 0);
    m->alive = true;
    m->worker.publish = order->publish;
    m->worker.number = number;
    m->worker.connections = connections;
    m->worker.udp_sockets = order->settings->listen_count;
    m->worker.limiter = limiter_new();
    m->worker.signer = signer_new();
    m->worker.log = order->log;
    m->worker.inbox = inbox_open(&m->worker);
    m->worker.desk = order->updater ? desk_open(&m->worker, order->updater) : NULL;
    return listen_all(m, order->settings);
}

int crew_open(const struct crew_order *order, struct crew **out)
{
    size_t connections = descriptors_for_connections(order->settings);
    size_t workers = order->settings->workers;
    struct crew *crew = xcalloc(1, sizeof(*crew) + workers * sizeof(*crew->members));
    int err = 0;

    while (crew->count < workers && !err) {
        err = member_open(&crew->members[crew->count], order, crew->count, connections);
        crew->count++;
    }
    for (size_t i = 0; i < crew->count; i++) {
        struct member *m = &crew->members[i];
        CHECK(thread_start(&m->id, "loop", run, m) == 0);
    }
    *out = crew;
    return err;
}

bool crew_alive(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++) {
        if (!atomic_load_explicit(&crew->members[i].alive, memory_order_relaxed)) {
            return false;
        }
    }
    for (size_t i = 0; i < crew->count; i++) {
        atomic_store_explicit(&crew->members[i].alive, false, memory_order_relaxed);
        uv_async_send(&crew->members[i].pulse);
    }
    return true;
}

void crew_drain(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++) {
        uv_async_send(&crew->members[i].drain);
    }
}

void crew_stop(struct crew *crew)
{
    for (size_t i = 0; crew && i < crew->count; i++) {
        uv_async_send(&crew->members[i].stop);
    }
}

void crew_join(struct crew *crew)
{
    for (size_t i = 0; crew && i < crew->count; i++) {
        pthread_join(crew->members[i].id, NULL);
    }
}

static void member_fini(struct member *m)
{
    CHECK(uv_loop_close(&m->worker.loop) == 0);
    limiter_free(&m->worker.limiter);
    signer_free(&m->worker.signer);
    inbox_free(&m->worker.inbox);
    desk_free(&m->worker.desk);
    free(m->udps);
}

void crew_free(struct crew **crew)
{
    for (size_t i = 0; *crew && i < (*crew)->count; i++) {
        member_fini(&(*crew)->members[i]);
    }
    free(*crew);
    *crew = NULL;
}

size_t crew_size(const struct crew *crew)
{
    return crew ? crew->count : 0;
}

const struct counters *crew_counters(const struct crew *crew, size_t number)
{
    CHECK(number < crew->count);
    return &crew->members[number].worker.counters;
}
