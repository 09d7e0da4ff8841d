#include "proxy/client/listener.h"

#include "base/check.h"
#include "base/err.h"
#include "base/files.h"
#include "base/inherited.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/unix_socket.h"
#include "proxy/origin/upstream.h"
#include "proxy/tls_set.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    PATIENCE_MS = 1000, /* so long those who find no place may wait for one */
};

struct listener {
    uv_tcp_t handle;
    struct worker *worker;
    char *address;           /* as written in the configuration */
    struct tls_context *tls; /* current context; NULL: no TLS */
    struct transport *guest; /* for who has come, and is not accepted so far; NULL: nobody */
    struct timeout retry;    /* set while a guest waits */
    uint64_t short_since; /* when one began to wait, in loop milliseconds; 0: nobody has, since the
                             kernel's queue was empty */
};

/* ---- accepting ---- */

/* Is there room for one more client, maybe after closing an idle one? */
static bool has_room(struct worker *worker)
{
    bool many = worker->client_count >= worker->settings->limits.connections;

    return (!many && !files_run_short()) || clients_evict_waiting(worker) ||
           (!many && upstreams_shed(worker->upstreams));
}

/* The same for memory, maybe after closing clients that hold some. */
static bool has_memory(struct worker *worker)
{
    return !memory_is_scarce() || clients_yield_memory(worker) ||
           upstreams_shed(worker->upstreams) || !memory_is_swamped();
}

/* Does nobody stand behind the one who has come last? */
static bool is_queue_empty(const struct listener *listener)
{
    struct pollfd queue = {.events = POLLIN};

    return uv_fileno((const uv_handle_t *)&listener->handle, &queue.fd) != 0 ||
           poll(&queue, 1, 0) <= 0;
}

static struct transport *accept_guest(struct listener *listener)
{
    struct transport *guest = listener->guest;

    listener->guest = NULL;
    CHECK(uv_accept((uv_stream_t *)&listener->handle, transport_uv(guest)) == 0);
    if (listener->short_since && is_queue_empty(listener)) {
        listener->short_since = 0;
    }
    return guest;
}

static void let_in(struct listener *listener)
{
    client_start(listener->worker, accept_guest(listener), listener->tls);
}

static void warn_refused(const struct worker *worker)
{
    uint64_t limit = worker->settings->limits.connections;

    if (worker->client_count >= limit) {
        log_warn("too_many_clients", "limit=%" PRIu64, limit);
    } else if (memory_is_swamped()) {
        log_warn("no_memory_for_clients", "limit=%zu used=%zu", memory_limit(), memory_used());
    } else {
        log_warn("no_descriptors_for_clients", "clients=%zu", worker->client_count);
    }
}

static void refuse(struct listener *listener)
{
    struct transport *guest = accept_guest(listener);

    warn_refused(listener->worker);
    metric_add(&listener->worker->counters.clients_refused, 1);
    transport_close(&guest, true);
}

/*
 * Where nobody can be closed for a guest, this may change soon: a crowd that has just connected has
 * not shown yet that it sends nothing, and what has come while the process could not run is still
 * to be read. So the guest waits, and libuv accepts nobody else meanwhile. But where places become
 * free more slowly than clients come, those behind it would wait ever longer: when there has been a
 * queue for PATIENCE_MS, who finds no place is refused until it is empty.
 */
static void meet(struct listener *listener)
{
    struct worker *worker = listener->worker;

    if (has_memory(worker) && has_room(worker)) {
        let_in(listener);
        return;
    }
    if (listener->short_since == 0) {
        listener->short_since = loop_now_ms(worker->loop);
    }
    if (loop_read_ms(worker->loop) < listener->short_since + PATIENCE_MS) {
        timeout_set(worker->loop, &listener->retry, 1); /* at the next tick */
    } else {
        refuse(listener);
    }
}

static void on_retry(struct timeout *timeout)
{
    meet(container_of(timeout, struct listener, retry));
}

static void on_connection(uv_stream_t *handle, int status)
{
    struct listener *listener = container_of(handle, struct listener, handle);

    if (status < 0) {
        log_warn("accept_failed", "err=%s", err_text(status));
        return;
    }
    listener->guest = transport_new_tcp(listener->worker->loop);
    meet(listener);
}

/* A bound socket, or a negative errno. */
static int bound_socket(const struct endpoint *endpoint, bool reuse_port)
{
    int family = endpoint->address.ss_family, on = 1, off = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if ((reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->len) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static int listening_socket(const struct endpoint *endpoint, bool reuse_port)
{
    if (endpoint->unix_path) {
        return unix_listen(endpoint->unix_path, BACKLOG);
    }
    int fd = inherited_socket((const struct sockaddr *)&endpoint->address, SOCK_STREAM);
    if (fd >= 0) {
        return fd;
    }
    fd = bound_socket(endpoint, reuse_port);
    if (fd >= 0 && listen(fd, BACKLOG) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int listener_socket(const struct endpoint *endpoint, bool reuse_port)
{
    int fd = listening_socket(endpoint, reuse_port);

    if (fd >= 0) {
        inherited_offer(fd);
    }
    return fd;
}

int listener_probe(const struct endpoint *endpoint)
{
    if (inherited_has((const struct sockaddr *)&endpoint->address, SOCK_STREAM)) {
        return 0;
    }
    int fd = bound_socket(endpoint, false);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    return 0;
}

void listener_renew(struct listener *listener)
{
    struct tls_context *next = tls_set_listener(listener->worker->settings, listener->address);

    if (next && listener->tls) {
        tls_context_unref(&listener->tls);
        listener->tls = tls_context_ref(next);
    }
}

static struct listener *listener_new(struct worker *worker, const struct listening *listening)
{
    struct listener *listener = xcalloc(1, sizeof(*listener));

    listener->worker = worker;
    timeout_init(&listener->retry, on_retry);
    listener->address = xspandup(span_str(listening->at.text));
    if (listening->is_tls) {
        listener->tls = tls_context_ref(tls_set_listener(worker->settings, listening->at.text));
    }
    return listener;
}

int listener_open(struct worker *worker, const struct listening *listening, struct listener **out)
{
    int fd = listener_socket(&listening->at, true);

    *out = NULL;
    if (fd < 0) {
        return fd;
    }
    struct listener *listener = listener_new(worker, listening);
    uv_tcp_init(loop_uv(worker->loop), &listener->handle);
    int err = uv_tcp_open(&listener->handle, fd);
    if (err) {
        close(fd);
    } else {
        err = uv_listen((uv_stream_t *)&listener->handle, BACKLOG, on_connection);
    }
    if (err) {
        listener_close(&listener);
        return err;
    }
    own_addrs_add_listener(&worker->own_addrs, fd);
    *out = listener;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = container_of(handle, struct listener, handle);

    tls_context_unref(&listener->tls);
    free(listener->address);
    free(listener);
}

void listener_close(struct listener **slot)
{
    struct listener *listener = *slot;

    *slot = NULL;
    if (listener) {
        timeout_clear(&listener->retry);
        if (listener->guest) { /* it came before the end */
            let_in(listener);
        }
        uv_close((uv_handle_t *)&listener->handle, on_closed);
    }
}
