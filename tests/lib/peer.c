#include "tests/lib/peer.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

void loop_turn(struct loop *loop)
{
    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    usleep(50);
}

uint64_t peer_deadline(void)
{
    return clock_mono_ms();
}

/* ---- connections ---- */

static void make_nonblocking(int fd)
{
    CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

static void peer_init(struct peer *peer, struct loop *loop, int fd)
{
    *peer = (struct peer){.loop = loop, .fd = fd};
    make_nonblocking(fd);
}

int peer_listen(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(fd, 64) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void set_buffer(int fd, int option, int bytes)
{
    CHECK(setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes)) == 0);
}

void peer_pair(struct peer *peer, struct loop *loop, struct transport **transport, bool narrow)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port;
    int listener = peer_listen(&port);
    int ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (narrow) {
        set_buffer(listener, SO_SNDBUF, 8192);
        set_buffer(ours, SO_RCVBUF, 8192);
    }
    address.sin_port = htons(port);
    CHECK(connect(ours, (struct sockaddr *)&address, sizeof(address)) == 0);
    int theirs = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(theirs >= 0);
    close(listener);
    *transport = transport_new_tcp(loop);
    CHECK(uv_tcp_open((uv_tcp_t *)transport_uv(*transport), theirs) == 0);
    peer_init(peer, loop, ours);
}

void peer_connect(struct peer *peer, struct loop *loop, const struct sockaddr *address,
                  socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(connect(fd, address, len) == 0);
    peer_init(peer, loop, fd);
}

static bool try_accept(int listener, int *fd)
{
    *fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return *fd >= 0;
}

bool peer_accept(struct peer *peer, struct loop *loop, int listener)
{
    int fd = -1;

    make_nonblocking(listener);
    if (!LOOP_UNTIL(loop, fd >= 0 || try_accept(listener, &fd))) {
        return false;
    }
    peer_init(peer, loop, fd);
    return true;
}

static void close_fd(struct peer *peer)
{
    if (peer->fd >= 0) {
        close(peer->fd);
    }
    peer->fd = -1;
}

void peer_fini(struct peer *peer)
{
    close_fd(peer);
    buf_fini(&peer->got);
}

/* ---- talking ---- */

static size_t send_some(struct peer *peer, struct span bytes)
{
    ssize_t n = send(peer->fd, bytes.at, bytes.len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        peer->is_reset = true;
    }
    return n > 0 ? (size_t)n : 0;
}

bool peer_send(struct peer *peer, struct span bytes)
{
    LOOP_UNTIL(peer->loop,
               peer->is_reset || (bytes = span_skip(bytes, send_some(peer, bytes))).len == 0);
    return bytes.len == 0;
}

bool peer_say(struct peer *peer, const char *text)
{
    return peer_send(peer, span_str(text));
}

bool peer_trickle(struct peer *peer, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (!peer_send(peer, span_of(bytes.at + i, 1))) {
            return false;
        }
        loop_turn(peer->loop);
    }
    return true;
}

void peer_shutdown(struct peer *peer)
{
    shutdown(peer->fd, SHUT_WR);
}

void peer_reset(struct peer *peer)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close_fd(peer);
}

/* ---- listening ---- */

void peer_read(struct peer *peer, size_t max)
{
    if (peer->fd >= 0 && !peer->is_eof && !peer->is_reset) {
        size_t room = max < 65536 ? max : 65536;
        ssize_t n = recv(peer->fd, buf_reserve(&peer->got, room), room, 0);
        if (n > 0) {
            buf_commit(&peer->got, (size_t)n);
        } else if (n == 0) {
            peer->is_eof = true;
        } else if (errno != EAGAIN) {
            peer->is_reset = true;
        }
    }
    loop_turn(peer->loop);
}

void peer_sip(struct peer *peer, uint64_t ms)
{
    enum { SIP = 512, PAUSE_MS = 50 };
    uint64_t end = loop_now_ms(peer->loop) + ms;

    while (loop_now_ms(peer->loop) < end) {
        uint64_t next = loop_now_ms(peer->loop) + PAUSE_MS;
        peer_read(peer, SIP);
        LOOP_UNTIL(peer->loop, loop_now_ms(peer->loop) >= next);
    }
}

bool peer_hears(struct peer *peer, const char *text)
{
    return LOOP_UNTIL(peer->loop,
                      (peer_read(peer, SIZE_MAX), span_ends(buf_span(&peer->got), span_str(text)) ||
                                                      peer->is_eof || peer->is_reset)) &&
           span_ends(buf_span(&peer->got), span_str(text));
}

bool peer_hears_bytes(struct peer *peer, size_t n)
{
    return LOOP_UNTIL(peer->loop, (peer_read(peer, SIZE_MAX),
                                   buf_len(&peer->got) >= n || peer->is_eof || peer->is_reset)) &&
           buf_len(&peer->got) >= n;
}

bool peer_hears_close(struct peer *peer)
{
    return LOOP_UNTIL(peer->loop, (peer_read(peer, SIZE_MAX), peer->is_eof || peer->is_reset));
}

bool peer_hears_eof(struct peer *peer)
{
    return peer_hears_close(peer) && !peer->is_reset;
}

size_t peer_count(const struct peer *peer, const char *text)
{
    struct span rest = buf_span(&peer->got);
    size_t len = strlen(text);
    size_t count = 0;

    for (const char *hit; (hit = memmem(rest.at, rest.len, text, len)); count++) {
        rest = span_skip(rest, (size_t)(hit - rest.at) + len);
    }
    return count;
}

bool peer_got(const struct peer *peer, const char *text)
{
    return peer_count(peer, text) > 0;
}
