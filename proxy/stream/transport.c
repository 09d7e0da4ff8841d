/*
 * TCP over libuv. Writing tries the socket first (uv_try_write); only a remainder becomes a
 * uv_write request, since each completed one costs an epoll_ctl and an allocation. Reading goes
 * into the loop's one buffer, so a connection that waits holds none.
 */
#include "proxy/stream/transport.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIGHT_READ = 16384 }; /* bytes read at once when memory is tight: they have to be kept */

struct transport {
    uv_tcp_t tcp;
    const struct transport_events *events;
    void *owner;
    uint64_t received;
    uint64_t sent;
    unsigned pending; /* writes whose end has not been told */
    bool is_reading;
    bool is_shutdown_due; /* when the queue has left */
    bool is_full;         /* the socket has just said so */
    bool refuses_files;   /* sendfile() does not know this kind of file */
};

/* A write the socket did not take at once. */
struct pending {
    uv_write_t request;
    size_t bytes;  /* copied and lent */
    size_t copied; /* length of `copy` */
    char copy[];
};

static void shutdown_now(struct transport *transport);

static uv_stream_t *uv_of(struct transport *transport)
{
    return (uv_stream_t *)&transport->tcp;
}

struct loop *transport_loop(const struct transport *transport)
{
    return transport->tcp.loop->data;
}

/* ---- libuv calls in ---- */

static void on_uv_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    unsigned size = memory_is_tight() ? TIGHT_READ : LOOP_READ_BUFFER;

    *buf = uv_buf_init(loop_read_buffer(handle->loop->data), size);
}

/* 0 or the negative error that the socket has to tell. */
static int socket_error(struct transport *transport)
{
    uv_os_fd_t fd;
    int err = 0;
    socklen_t len = sizeof(err);

    if (uv_fileno((uv_handle_t *)&transport->tcp, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) {
        return -EIO;
    }
    return -err;
}

static void on_uv_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct transport *transport = container_of(handle, struct transport, tcp);

    /* When a reset follows the last bytes, libuv calls it EOF without reading again: a message that
     * ends with its connection would look complete. */
    if (n == UV_EOF) {
        int err = socket_error(transport);
        n = err ? err : UV_EOF;
    }
    if (n > 0) {
        transport->received += (uint64_t)n;
        transport->events->on_bytes(transport->owner, span_of(buf->base, (size_t)n));
    } else if (n == UV_EOF) {
        transport->is_reading = false;
        transport->events->on_eof(transport->owner);
    } else if (n < 0) {
        transport->is_reading = false;
        transport->events->on_error(transport->owner, (int)n);
    }
}

/* A mapping whose file ended before it. */
static int write_error(int err)
{
    return err == UV_EFAULT ? ERR_TRUNCATED : err;
}

static void on_uv_written(uv_write_t *request, int status)
{
    struct transport *transport = container_of(request->handle, struct transport, tcp);
    struct pending *pending = container_of(request, struct pending, request);
    size_t bytes = pending->bytes;

    transport->pending--;
    pool_give(loop_pool(transport_loop(transport)), pending, sizeof(*pending) + pending->copied);
    if (status == UV_ECANCELED || uv_is_closing((uv_handle_t *)&transport->tcp)) {
        return;
    }
    if (status < 0) {
        transport->events->on_error(transport->owner, write_error(status));
        return;
    }
    transport->sent += bytes;
    if (transport_queued(transport) > 0) {
        return;
    }
    if (transport->is_shutdown_due) {
        shutdown_now(transport);
    }
    transport->events->on_writable(transport->owner);
}

static void on_uv_closed(uv_handle_t *handle)
{
    memory_give(MEMORY_CONNECTIONS, sizeof(struct transport));
    free(container_of(handle, struct transport, tcp));
}

/* ---- life ---- */

struct transport *transport_new_tcp(struct loop *loop)
{
    struct transport *transport = xcalloc(1, sizeof(*transport));

    memory_take(MEMORY_CONNECTIONS, sizeof(*transport));
    CHECK(uv_tcp_init(loop_uv(loop), &transport->tcp) == 0);
    return transport;
}

uv_stream_t *transport_uv(struct transport *transport)
{
    CHECK(!transport->events);
    return uv_of(transport);
}

void transport_start(struct transport *transport, const struct transport_events *events,
                     void *owner)
{
    transport->events = events;
    transport->owner = owner;
    uv_tcp_nodelay(&transport->tcp, 1);
}

void transport_close(struct transport **transport, bool reset)
{
    struct transport *gone = *transport;

    *transport = NULL;
    if (!gone) {
        return;
    }
    if (!reset || uv_tcp_close_reset(&gone->tcp, on_uv_closed) != 0) {
        uv_close((uv_handle_t *)&gone->tcp, on_uv_closed);
    }
}

/* ---- reading ---- */

void transport_read_start(struct transport *transport)
{
    if (!transport->is_reading) {
        transport->is_reading = uv_read_start(uv_of(transport), on_uv_alloc, on_uv_read) == 0;
    }
}

void transport_read_stop(struct transport *transport)
{
    if (transport->is_reading) {
        transport->is_reading = false;
        uv_read_stop(uv_of(transport));
    }
}

/* ---- writing ---- */

static size_t total_len(const struct span *spans, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += spans[i].len;
    }
    return total;
}

/* What the socket takes right now: 0 when it is full. */
static ssize_t try_write(struct transport *transport, const struct span *spans, size_t count)
{
    uv_buf_t bufs[TRANSPORT_SPANS_MAX];

    if (transport_queued(transport) > 0 || transport->is_full) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        bufs[i].base = (char *)(uintptr_t)spans[i].at; /* uv_buf_t knows no const */
        bufs[i].len = spans[i].len;
    }
    int n = uv_try_write(uv_of(transport), bufs, (unsigned)count);
    if (n > 0) {
        transport->sent += (uint64_t)n;
    }
    return n == UV_EAGAIN ? 0 : write_error(n);
}

/* Hands to libuv what lies behind the first `done` bytes: copied, but for `lent`. */
static int queue_rest(struct transport *transport, const struct span *spans, size_t count,
                      size_t done, struct span lent)
{
    struct pool *pool = loop_pool(transport_loop(transport));
    size_t copied = total_len(spans, count);
    size_t skip = done < copied ? done : copied;
    copied -= skip;
    struct pending *pending = pool_take(pool, sizeof(*pending) + copied);

    transport->is_full = false;
    *pending = (struct pending){.bytes = copied + lent.len, .copied = copied};
    char *to = pending->copy;
    for (size_t i = 0; i < count; i++) {
        struct span part = span_skip(spans[i], skip);
        skip -= spans[i].len - part.len;
        if (part.len) {
            memcpy(to, part.at, part.len);
            to += part.len;
        }
    }
    uv_buf_t bufs[2] = {
        {.base = pending->copy, .len = copied},
        {.base = (char *)(uintptr_t)lent.at, .len = lent.len},
    };
    int err = uv_write(&pending->request, uv_of(transport), copied ? bufs : bufs + 1,
                       copied && lent.len ? 2 : 1, on_uv_written);
    if (err) {
        pool_give(pool, pending, sizeof(*pending) + copied);
        return err;
    }
    transport->pending++;
    return 0;
}

ssize_t transport_write(struct transport *transport, const struct span *spans, size_t count,
                        bool keep)
{
    CHECK(count > 0 && count <= TRANSPORT_SPANS_MAX);
    CHECK(!keep || transport_queued(transport) == 0);
    size_t total = total_len(spans, count);
    size_t own = keep ? total - spans[count - 1].len : total;

    ssize_t n = try_write(transport, spans, count);
    if (n < 0 || (size_t)n == total) {
        return n;
    }
    size_t done = (size_t)n;
    struct span lent = SPAN_EMPTY;
    if (keep) {
        lent = span_skip(spans[count - 1], done > own ? done - own : 0);
    }
    int err = queue_rest(transport, spans, keep ? count - 1 : count, done, lent);
    return err ? err : (ssize_t)(total - lent.len);
}

/* ---- files ---- */

static int fd_of(const struct transport *transport)
{
    uv_os_fd_t fd;

    CHECK(uv_fileno((const uv_handle_t *)&transport->tcp, &fd) == 0);
    return fd;
}

/* A head waits for what follows at once, so that a short body costs no packet more. In front of a
 * long one it does not matter, and over loopback a first packet that fills the peer's first window
 * doubled the server's CPU (100 KiB: 95 µs instead of 45). */
#define HELD_BACK_MAX 65536

/* What is not taken is queued. */
static int write_before(struct transport *transport, struct span before, size_t len)
{
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (len <= HELD_BACK_MAX ? MSG_MORE : 0);
    ssize_t n;

    do {
        n = send(fd_of(transport), before.at, before.len, flags);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        return -errno;
    }
    size_t done = n > 0 ? (size_t)n : 0;
    transport->sent += done;
    return done == before.len ? 0 : queue_rest(transport, &before, 1, done, SPAN_EMPTY);
}

static int file_error(struct file_place place, int err)
{
    char link[32], path[PATH_MAX];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", place.fd);
    ssize_t len = readlink(link, path, sizeof(path));
    log_error("file_send", "file=%.*s offset=%llu err=%s", len > 0 ? (int)len : 0, path,
              (unsigned long long)place.offset,
              err ? err_text(err) : "the file has become shorter");
    return ERR_TRUNCATED;
}

/* What sendfile() has said: who is to blame? */
static ssize_t not_sent(struct transport *transport, struct file_place place, int err)
{
    switch (err) {
    case -EAGAIN:
        transport->is_full = true;
        return 0;
    case -EINVAL:
    case -ENOSYS:
    case -EOPNOTSUPP:
        transport->refuses_files = true;
        return 0;
    case -EIO:
    case -EFAULT:
    case -EUCLEAN:
    case -ESTALE: /* the map may have the page: if it has not, the write says so */
        file_error(place, err);
        transport->refuses_files = true;
        return 0;
    case -EBADF:
        return file_error(place, err);
    default:
        return err;
    }
}

ssize_t transport_send_file(struct transport *transport, struct span before,
                            struct file_place place, size_t len)
{
    CHECK(transport_queued(transport) == 0 && len > 0);
    int err = before.len ? write_before(transport, before, len) : 0;
    if (err || transport_queued(transport) > 0) {
        return err;
    }
    off_t offset = (off_t)place.offset;
    ssize_t n;
    do {
        n = sendfile(fd_of(transport), place.fd, &offset, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return not_sent(transport, place, -errno);
    }
    if (n == 0) {
        return file_error(place, 0);
    }
    transport->sent += (uint64_t)n;
    transport->is_full = (size_t)n < len;
    return n;
}

bool transport_sends_files(const struct transport *transport)
{
    return !transport->refuses_files;
}

/* A write that libuv could do at once is told only in the next turn: until then what it was lent is
 * not given back, and whoever took the queue for empty would send it again. */
void transport_keep_low(struct transport *transport)
{
    enum { LOW_BYTES = 65536 };
    int low = LOW_BYTES;
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&transport->tcp, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof(low));
    }
}

size_t transport_queued(const struct transport *transport)
{
    if (transport->pending == 0) {
        return 0;
    }
    size_t bytes = uv_stream_get_write_queue_size((const uv_stream_t *)&transport->tcp);

    return bytes ? bytes : 1;
}

/* shutdown(2) instead of uv_shutdown(): no request to keep, and a reset stays possible after. */
static void shutdown_now(struct transport *transport)
{
    uv_os_fd_t fd;

    transport->is_shutdown_due = false;
    if (uv_fileno((uv_handle_t *)&transport->tcp, &fd) == 0) {
        shutdown(fd, SHUT_WR);
    }
}

void transport_shutdown(struct transport *transport)
{
    if (transport_queued(transport) > 0) {
        transport->is_shutdown_due = true;
    } else {
        shutdown_now(transport);
    }
}

/* ---- facts ---- */

/* The port lies at the same place for both families. */
static uint16_t port_of(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    default:
        return 0;
    }
}

static struct ip address_of(const struct transport *transport, uint16_t *port,
                            int (*get)(const uv_tcp_t *, struct sockaddr *, int *))
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    int len = sizeof(address);

    if (get(&transport->tcp, (struct sockaddr *)&address, &len) != 0) {
        address.ss_family = AF_UNSPEC;
    }
    *port = port_of(&address);
    return ip_of_sockaddr((const struct sockaddr *)&address);
}

struct ip transport_peer(const struct transport *transport, uint16_t *port)
{
    return address_of(transport, port, uv_tcp_getpeername);
}

struct ip transport_local(const struct transport *transport, uint16_t *port)
{
    return address_of(transport, port, uv_tcp_getsockname);
}

uint64_t transport_received(const struct transport *transport)
{
    return transport->received;
}

uint64_t transport_sent(const struct transport *transport)
{
    return transport->sent;
}
