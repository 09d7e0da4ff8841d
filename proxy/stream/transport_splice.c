/*
 * Moves bytes from one socket to another through a pipe of the loop, without copying them. The pipe
 * is empty again when the call returns: what the second socket does not take is read from it. So
 * one pipe is enough for all connections, and no bytes wait where nobody counts them.
 */
#include "proxy/stream/transport_parts.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool transport_takes_splice(const struct transport *transport)
{
    return !transport->tls && !transport->is_full && !transport->is_broken &&
           !transport->is_shutdown_due && transport_queued(transport) == 0;
}

/* Returns the number of bytes moved, or a negative errno. */
static ssize_t move(int from, int to, size_t len)
{
    ssize_t n;

    do {
        n = splice(from, NULL, to, NULL, len, SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Moves bytes from the pipe to the socket; why it takes no more, or the kernel has no memory for
 * them, is left to the next write. But a broken socket reports its error only once, and looks
 * properly closed to the next call, so the error is kept. */
static size_t move_out(struct transport *to, int pipe, size_t len)
{
    ssize_t n = move(pipe, transport_fd(to), len);
    size_t taken = n > 0 ? (size_t)n : 0;

    to->is_full = taken < len;
    if (n < 0 && n != -EAGAIN && n != -ENOBUFS && n != -ENOMEM) {
        to->is_broken = true;
        transport_read_stop(to);
    }
    return taken;
}

static struct span read_rest(struct loop *loop, int pipe, size_t len)
{
    char *at = loop_read_buffer(loop);

    for (size_t have = 0; have < len;) {
        ssize_t n = read(pipe, at + have, len - have);
        CHECK(n > 0 || errno == EINTR); /* these bytes are known to be in the pipe */
        have += n > 0 ? (size_t)n : 0;
    }
    return span_of(at, len);
}

ssize_t transport_splice(struct transport *from, struct transport *to, struct span *rest)
{
    struct loop *loop = transport_loop(from);
    const struct loop_pipe *pipe = loop_pipe(loop);

    CHECK(transport_takes_splice(to) && transport_loop(to) == loop);
    *rest = SPAN_EMPTY;
    if (!pipe) {
        return 0;
    }
    ssize_t n = move(transport_fd(from), pipe->in, transport_most_read());
    if (n == -EAGAIN || n == -EINVAL || n == -ENOSYS || n == -ENOMEM) {
        return 0;
    }
    if (n > 0) {
        size_t taken = move_out(to, pipe->out, (size_t)n);
        *rest = read_rest(loop, pipe->out, (size_t)n - taken);
    }
    return n;
}
