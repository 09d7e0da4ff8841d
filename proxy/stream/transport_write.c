/*
 * Writing tries the socket first; only a remainder becomes a uv_write request, since each completed
 * one costs an epoll_ctl and an allocation.
 */
#include "proxy/stream/transport_parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/* A write the socket did not take at once. */
struct pending {
    uv_write_t request;
    size_t copied; /* length of `copy` */
    char copy[];
};

/* ---- libuv calls in ---- */

/* A mapping whose file ended before it. */
static int write_error(int err)
{
    return err == UV_EFAULT ? ERR_TRUNCATED : err;
}

static void on_uv_written(uv_write_t *request, int status)
{
    struct transport *transport = container_of(request->handle, struct transport, tcp);
    struct pending *pending = container_of(request, struct pending, request);

    transport->pending--;
    pool_give(loop_pool(transport_loop(transport)), pending, sizeof(*pending) + pending->copied);
    if (status == UV_ECANCELED || transport_is_closing(transport)) {
        return;
    }
    if (status < 0) {
        transport_failed(transport, write_error(status));
        return;
    }
    if (transport->pending == 0 && transport->tls) {
        int err = transport_tls_written(transport);
        if (err) {
            transport_failed(transport, err);
            return;
        }
    }
    if (transport_queued(transport) > 0 || transport->events == NULL) {
        return;
    }
    if (transport->is_shutdown_due) {
        transport_fin(transport);
    }
    transport->events->on_writable(transport->owner);
}

/* ---- writing ---- */

int transport_fd(const struct transport *transport)
{
    uv_os_fd_t fd;

    CHECK(uv_fileno((const uv_handle_t *)&transport->tcp, &fd) == 0);
    return fd;
}

size_t transport_total(const struct span *spans, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += spans[i].len;
    }
    return total;
}

/* As uv_try_write() does it, but with the calls made for sockets: write() takes the way of a file
 * to them, which is a tenth of a microsecond longer. */
static ssize_t send_spans(int fd, const struct span *spans, size_t count, int flags)
{
    struct iovec parts[TRANSPORT_SPANS_MAX];

    if (count == 1) {
        return send(fd, spans->at, spans->len, flags);
    }
    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct iovec){(char *)(uintptr_t)spans[i].at, spans[i].len};
    }
    return sendmsg(fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = count}, flags);
}

/* Returns how many bytes the socket has taken, also 0, or an error of the connection. A kernel that
 * is short of buffers is a full socket, as it is to libuv, which tries again. */
static ssize_t send_now(struct transport *transport, const struct span *spans, size_t count,
                        int more)
{
    ssize_t n;

    do {
        n = send_spans(transport_fd(transport), spans, count, MSG_NOSIGNAL | MSG_DONTWAIT | more);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return n;
    }
    transport->is_reset |= errno == ECONNRESET;
    return errno == EAGAIN || errno == ENOBUFS ? 0 : write_error(-errno);
}

ssize_t transport_try(struct transport *transport, const struct span *spans, size_t count)
{
    if (transport->is_broken) {
        return UV_EPIPE;
    }
    if (transport_queued(transport) > 0 || transport->is_full) {
        return 0;
    }
    return send_now(transport, spans, count, 0);
}

int transport_queue(struct transport *transport, const struct span *spans, size_t count,
                    size_t done, struct span lent)
{
    struct pool *pool = loop_pool(transport_loop(transport));
    size_t copied = transport_total(spans, count);
    size_t skip = done < copied ? done : copied;
    copied -= skip;
    struct pending *pending = pool_take(pool, sizeof(*pending) + copied);

    transport->is_full = false;
    *pending = (struct pending){.copied = copied};
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
    int err = uv_write(&pending->request, transport_stream(transport), copied ? bufs : bufs + 1,
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

    if (transport->tls) {
        return transport_tls_write(transport, spans, count, keep);
    }
    ssize_t n = transport_try(transport, spans, count);
    size_t total = transport_total(spans, count);
    if (n < 0 || (size_t)n == total) {
        return n;
    }
    size_t own = keep ? total - spans[count - 1].len : total;
    size_t done = (size_t)n;
    struct span lent = SPAN_EMPTY;
    if (keep) {
        lent = span_skip(spans[count - 1], done > own ? done - own : 0);
    }
    int err = transport_queue(transport, spans, keep ? count - 1 : count, done, lent);
    return err ? err : (ssize_t)(total - lent.len);
}

/* ---- files ---- */

/* Writes a head with MSG_MORE, because a body follows at once: it costs no packet of its own, and
 * does not wake the peer before there is more. What the socket does not take is queued. */
static int write_before(struct transport *transport, struct span before)
{
    ssize_t n = send_now(transport, &before, 1, MSG_MORE);

    if (n < 0 || (size_t)n == before.len) {
        return n < 0 ? (int)n : 0;
    }
    return transport_queue(transport, &before, 1, (size_t)n, SPAN_EMPTY);
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

/* Judges an error of sendfile(): is it the file, or the socket? */
static ssize_t not_sent(struct transport *transport, struct file_place place, int err)
{
    switch (err) {
    case -EAGAIN:
        transport->is_full = true;
        return 0;
    case -EINVAL:
    case -ENOSYS:
    case -EOPNOTSUPP:
        break;
    case -EBADF:
        return file_error(place, err);
    case -EIO:
    case -EFAULT:
    case -EUCLEAN:
    case -ENODATA:
    case -ESTALE:
        file_error(place, err);
        break;
    default: /* the kernel is short of something, or it is the socket */
        break;
    }
    /* The map may have the page: if it has not, or it is the socket, the write says so. */
    transport->refuses_files = true;
    return 0;
}

ssize_t transport_send_file(struct transport *transport, struct span before,
                            struct file_place place, size_t len)
{
    CHECK(transport_queued(transport) == 0 && len > 0);
    int err = before.len ? write_before(transport, before) : 0;
    if (err || transport_queued(transport) > 0) {
        return err;
    }
    off_t offset = (off_t)place.offset;
    ssize_t n;
    do {
        n = sendfile(transport_fd(transport), place.fd, &offset, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return not_sent(transport, place, -errno);
    }
    if (n == 0) {
        return file_error(place, 0);
    }
    transport->is_full = (size_t)n < len;
    return n;
}

bool transport_sends_files(const struct transport *transport)
{
    return !transport->refuses_files && !transport->tls;
}

void transport_keep_low(struct transport *transport)
{
    enum { LOW_BYTES = 65536 };
    int low = LOW_BYTES;

    setsockopt(transport_fd(transport), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof(low));
}

/* libuv reports a write that it could do at once only in the next turn. Until then what was lent is
 * not given back, and still counts as queued: otherwise it would be sent again. */
size_t transport_queued(const struct transport *transport)
{
    size_t lent = transport->tls ? transport->tls->lent.len : 0;

    if (transport->pending == 0) {
        return lent;
    }
    size_t bytes = uv_stream_get_write_queue_size((const uv_stream_t *)&transport->tcp);

    return bytes + lent ? bytes + lent : 1;
}

/* shutdown(2) instead of uv_shutdown(): no request to keep, and a reset stays possible after. */
void transport_fin(struct transport *transport)
{
    uv_os_fd_t fd;

    transport->is_shutdown_due = false;
    if (uv_fileno((uv_handle_t *)&transport->tcp, &fd) == 0) {
        shutdown(fd, SHUT_WR);
    }
}

void transport_shutdown(struct transport *transport)
{
    bool has_lent = transport->tls && transport->tls->lent.len > 0;

    if (transport->tls && !has_lent && transport_tls_end(transport) != 0) {
        return; /* broken: reading will tell */
    }
    if (transport_queued(transport) > 0) {
        transport->is_shutdown_due = true;
    } else {
        transport_fin(transport);
    }
}
