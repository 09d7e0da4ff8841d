#include "dnsredir/listener/tcp_parts.h"

#include "base/inherited.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#define BACKLOG 512
#define TICK_MS 50

void tcp_handle_closed(struct tcp *tcp)
{
    if (--tcp->handles == 0 && tcp->closing) {
        tcp_clients_fini(&tcp->clients);
        free(tcp->listeners);
        free(tcp);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *listener = container_of(server, struct listener, handle);

    if (status < 0) {
        log_warn("accept_failed", "err=%s", uv_strerror(status));
        return;
    }
    connection_open(listener->tcp, server);
}

/* A connection that waits for an answer of the resolver, or for an update to be committed, waits
 * for us. */
static bool waits_for_client(const struct connection *c)
{
    return c->writing || (!c->job && list_empty(&c->tickets));
}

static void on_tick(uv_timer_t *timer)
{
    struct tcp *tcp = container_of(timer, struct tcp, tick);
    uint64_t now = uv_now(&tcp->worker->loop);

    list_each_safe(link, &tcp->connections)
    {
        struct connection *c = list_entry(link, struct connection, link);
        if (now - c->since < tcp->timeout_ms) {
            return; /* and so are all behind it */
        }
        if (waits_for_client(c)) {
            metric_add(&tcp->worker->counters.tcp_timeouts, 1);
            connection_close(c);
        }
    }
}

/* libuv of Debian 12 cannot ask for SO_REUSEPORT itself. */
static int open_socket(const struct endpoint *endpoint, int *out)
{
    int on = 1;
    int v6only = endpoint_v6only(endpoint);
    int family = endpoint->address.ss_family;
    int fd = inherited_socket((const struct sockaddr *)&endpoint->address, SOCK_STREAM);

    if (fd >= 0) {
        *out = fd;
        return 0;
    }
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
        (family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0) ||
        bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->len) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    *out = fd;
    return 0;
}

static int listener_open(struct tcp *tcp, const struct endpoint *endpoint)
{
    struct listener *listener = &tcp->listeners[tcp->listener_count];
    int fd = -1;
    int err = open_socket(endpoint, &fd);

    if (err) {
        return err;
    }
    listener->tcp = tcp;
    uv_tcp_init(&tcp->worker->loop, &listener->handle);
    tcp->listener_count++;
    tcp->handles++;
    err = uv_tcp_open(&listener->handle, fd);
    if (err) {
        close(fd);
        return err;
    }
    inherited_offer(fd);
    return uv_listen((uv_stream_t *)&listener->handle, BACKLOG, on_connection);
}

int tcp_open(struct worker *worker, const struct settings *settings, struct tcp **out)
{
    struct tcp *tcp = xcalloc(1, sizeof(*tcp));
    int err = 0;

    tcp->worker = worker;
    tcp->timeout_ms = settings->tcp.timeout;
    tcp->limit = worker->connections;
    tcp->client_limit = settings->tcp.per_client;
    tcp_clients_init(&tcp->clients);
    list_init(&tcp->connections);
    uv_timer_init(&worker->loop, &tcp->tick);
    tcp->handles = 1;
    uv_timer_start(&tcp->tick, on_tick, TICK_MS, TICK_MS);
    tcp->listeners = xcalloc(settings->listen_count, sizeof(*tcp->listeners));
    for (size_t i = 0; i < settings->listen_count && !err; i++) {
        err = listener_open(tcp, &settings->listen[i]);
    }
    if (err) {
        tcp_close(&tcp);
    }
    *out = tcp;
    return err;
}

static void on_listener_closed(uv_handle_t *handle)
{
    tcp_handle_closed(container_of(handle, struct listener, handle)->tcp);
}

static void on_tick_closed(uv_handle_t *handle)
{
    tcp_handle_closed(container_of(handle, struct tcp, tick));
}

void tcp_drain(struct tcp *tcp)
{
    for (size_t i = 0; i < tcp->listener_count; i++) {
        uv_close((uv_handle_t *)&tcp->listeners[i].handle, on_listener_closed);
    }
    tcp->listener_count = 0;
}

void tcp_close(struct tcp **tcp)
{
    struct tcp *t = *tcp;

    if (!t) {
        return;
    }
    *tcp = NULL;
    t->closing = true;
    list_each_safe(link, &t->connections)
    {
        connection_close(list_entry(link, struct connection, link));
    }
    tcp_drain(t);
    uv_close((uv_handle_t *)&t->tick, on_tick_closed);
}
