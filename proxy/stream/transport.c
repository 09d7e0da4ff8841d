/*
 * TCP over libuv: life, reading, facts. All connections read into the one buffer of the
 * loop, so a waiting connection holds none.
 */
#include "proxy/stream/transport_parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/memory.h"

#include <sys/socket.h>

/* most bytes read at once while memory is tight, or over: they may have to be kept */
enum { TIGHT_READ = 16384, OVER_READ = 4096 };

uv_stream_t *transport_stream(struct transport *transport)
{
    return (uv_stream_t *)&transport->tcp;
}

struct loop *transport_loop(const struct transport *transport)
{
    return transport->tcp.loop->data;
}

bool transport_is_closing(const struct transport *transport)
{
    return uv_is_closing((const uv_handle_t *)&transport->tcp);
}

/* ---- libuv calls in ---- */

/* How many bytes may be read now; 0: none, and the owner is told that there are some (on_readable).
 */
static size_t read_room(struct transport *transport)
{
    if (transport->tls) {
        return transport_tls_room(transport);
    }
    return transport->is_watched ? 0 : LOOP_READ_BUFFER;
}

size_t transport_most_read(void)
{
    if (memory_is_over()) {
        return OVER_READ;
    }
    return memory_is_tight() ? TIGHT_READ : LOOP_READ_BUFFER;
}

static void on_uv_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct transport *transport = container_of(handle, struct transport, tcp);
    size_t size = read_room(transport);
    size_t most = transport_most_read();

    size = size > most ? most : size;
    *buf = uv_buf_init(loop_read_buffer(handle->loop->data), (unsigned)size);
}

/* The pending error of the socket, negative, or 0. */
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

/* Why there is nothing more to read: UV_EOF, or an error. When a reset follows the last bytes,
 * libuv calls it EOF without reading again; and after a write has met the reset, reading does not.
 * A message that ends with its connection would look complete. */
static int reason_of_end(struct transport *transport)
{
    int err = socket_error(transport);

    if (err == 0 && transport->is_reset) {
        err = UV_ECONNRESET;
    }
    return err ? err : UV_EOF;
}

static void on_uv_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct transport *transport = container_of(handle, struct transport, tcp);

    if (n == UV_EOF) {
        n = reason_of_end(transport);
    }
    if (n == UV_ENOBUFS && buf->len == 0) { /* not read: poll reports it again */
        if (transport->is_watched) {
            transport->events->on_readable(transport->owner);
        } else {
            transport_tls_wait(transport);
        }
        return;
    }
    if (transport->tls) {
        transport_tls_read(transport, n, buf->base);
    } else if (n > 0) {
        transport->events->on_bytes(transport->owner, span_of(buf->base, (size_t)n));
    } else if (n == UV_EOF) {
        transport->is_reading = false;
        transport->events->on_eof(transport->owner);
    } else if (n < 0) {
        transport->is_reading = false;
        transport->events->on_error(transport->owner, (int)n);
    }
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

    files_take();
    memory_take(MEMORY_CONNECTIONS, sizeof(*transport));
    CHECK(uv_tcp_init(loop_uv(loop), &transport->tcp) == 0);
    return transport;
}

uv_stream_t *transport_uv(struct transport *transport)
{
    CHECK(!transport->events);
    return transport_stream(transport);
}

void transport_start(struct transport *transport, const struct transport_events *events,
                     void *owner)
{
    transport->events = events;
    transport->owner = owner;
    uv_tcp_nodelay(&transport->tcp, 1);
}

void transport_tell_rtt(struct transport *transport, struct rtt_ring *ring, uint64_t network)
{
    transport->rtts = ring;
    transport->network = network;
}

static void tell_rtt(const struct transport *transport)
{
    uv_os_fd_t fd;

    if (transport->rtts && uv_fileno((const uv_handle_t *)&transport->tcp, &fd) == 0) {
        struct rtt_sample sample = {.network = transport->network, .us = rtt_of_socket(fd)};
        if (sample.us) {
            rtt_ring_put(transport->rtts, &sample);
        }
    }
}

void transport_close(struct transport **transport, bool reset)
{
    struct transport *gone = *transport;

    *transport = NULL;
    if (!gone) {
        return;
    }
    if (gone->tls) {
        if (!reset) {
            transport_tls_part(gone);
        }
        transport_tls_free(gone);
    }
    tell_rtt(gone);
    if (!reset || uv_tcp_close_reset(&gone->tcp, on_uv_closed) != 0) {
        uv_close((uv_handle_t *)&gone->tcp, on_uv_closed);
    }
    files_give(); /* counted now, although libuv closes the descriptor at the end of this turn */
}

/* ---- reading ---- */

int transport_read_on(struct transport *transport)
{
    return uv_read_start(transport_stream(transport), on_uv_alloc, on_uv_read);
}

void transport_read_start(struct transport *transport)
{
    if (!transport->is_reading) {
        transport->is_reading = transport_read_on(transport) == 0;
    }
}

void transport_read_stop(struct transport *transport)
{
    if (transport->is_reading) {
        transport->is_reading = false;
        uv_read_stop(transport_stream(transport));
    }
}

void transport_watch(struct transport *transport, bool on)
{
    CHECK(!on || !transport->tls);
    transport->is_watched = on;
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
