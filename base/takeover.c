#include "base/takeover.h"

#include "base/environment.h"
#include "base/err.h"
#include "base/files.h"
#include "base/inherited.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/takeover_wire.h"
#include "base/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { BACKLOG = 8 };

struct takeover {
    uv_poll_t listening, peer_poll; /* `peer_poll` is in use only while a peer is connected */
    uv_timer_t hello_timer;         /* limits how long a peer may take to say hello */
    struct takeover_events events;
    char program[TAKEOVER_PROGRAM];
    int fd, peer; /* peer -1: none is connected */
    int handles;
    bool given; /* the sockets were sent to the peer */
    bool ready, closed;
};

/* ---- the older process ---- */

static void free_if_done(struct takeover *takeover)
{
    if (takeover->closed && takeover->handles == 0) {
        if (takeover->fd >= 0) {
            close(takeover->fd);
        }
        free(takeover);
    }
}

static void on_listening_closed(uv_handle_t *handle)
{
    struct takeover *takeover = container_of(handle, struct takeover, listening);

    takeover->handles--;
    free_if_done(takeover);
}

static void on_hello_timer_closed(uv_handle_t *handle)
{
    struct takeover *takeover = container_of(handle, struct takeover, hello_timer);

    takeover->handles--;
    free_if_done(takeover);
}

static void on_peer_poll_closed(uv_handle_t *handle)
{
    struct takeover *takeover = container_of(handle, struct takeover, peer_poll);

    takeover->handles--;
    if (!takeover->ready) {
        close(takeover->peer);
        takeover->peer = -1;
    }
    free_if_done(takeover);
}

static void stop_reading(struct takeover *takeover)
{
    uv_timer_stop(&takeover->hello_timer);
    if (takeover->peer >= 0 && !uv_is_closing((uv_handle_t *)&takeover->peer_poll)) {
        uv_close((uv_handle_t *)&takeover->peer_poll, on_peer_poll_closed);
    }
}

static void refuse(struct takeover *takeover, const char *why)
{
    log_warn("takeover_refused", "why=%s", why);
    stop_reading(takeover);
}

static void on_hello_timeout(uv_timer_t *timer)
{
    refuse(container_of(timer, struct takeover, hello_timer), "it does not say what it wants");
}

/* Handles the peer's READY. The connection then stays open: its end tells the newer process that we
 * have ended. */
static void on_ready_message(struct takeover *takeover)
{
    char word = 0;
    ssize_t n = recv(takeover->peer, &word, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    takeover->ready = n == 1 && word == TAKEOVER_READY;
    stop_reading(takeover);
    if (takeover->ready) {
        uv_poll_stop(&takeover->listening); /* the newer process accepts from this socket now */
        inherited_withdraw();
        log_info("takeover", "what=%s", "a newer process serves; this one drains");
        takeover->events.on_ready(takeover->events.arg);
    } else {
        log_warn("takeover_failed", "why=%s", "the newer process ended before it was ready");
    }
}

static void send_sockets(struct takeover *takeover)
{
    struct takeover_gift gift = {.watchdog_ms = notify_watchdog_ms()};
    size_t count;
    const int *sockets = inherited_offers(&count);

    if (takeover->events.on_gift) {
        takeover->events.on_gift(takeover->events.arg, &gift);
    }
    memcpy(gift.program, takeover->program, sizeof(gift.program));
    gift.sockets = (uint32_t)count;
    int err = takeover_send(takeover->peer, &gift, sockets);
    if (err) {
        log_warn("takeover_failed", "why=%s", err_text(err));
        stop_reading(takeover);
        return;
    }
    takeover->given = true;
    log_info("takeover_begins", "sockets=%zu", count);
}

/* A peer that connects and closes without a hello, such as a port scanner, is ignored. */
static void on_hello(struct takeover *takeover)
{
    int err = takeover_receive_hello(takeover->peer, takeover->program);

    if (err == 0) {
        return;
    }
    uv_timer_stop(&takeover->hello_timer);
    if (err > 0) {
        send_sockets(takeover);
    } else if (err == ERR_CLOSED) {
        stop_reading(takeover);
    } else {
        refuse(takeover, err == ERR_UNSUPPORTED ? "its version differs"
                         : err == ERR_REFUSED   ? "it is another program"
                                                : err_text(err));
    }
}

static void on_peer_readable(uv_poll_t *poll, int status, int events)
{
    struct takeover *takeover = container_of(poll, struct takeover, peer_poll);

    if (takeover->given) {
        on_ready_message(takeover);
    } else {
        on_hello(takeover);
    }
}

/* Begins to read from the peer. Returns 0 or a negative code. */
static int start_reading(struct takeover *takeover, int peer)
{
    int err = uv_poll_init(takeover->listening.loop, &takeover->peer_poll, peer);

    if (!err) {
        takeover->peer = peer;
        takeover->given = false;
        takeover->handles++;
        uv_poll_start(&takeover->peer_poll, UV_READABLE, on_peer_readable);
        uv_timer_start(&takeover->hello_timer, on_hello_timeout, TAKEOVER_SECONDS * UINT64_C(1000),
                       0);
    }
    return err;
}

static const char *refusal(const struct takeover *takeover, int peer)
{
    if (takeover->peer >= 0 || takeover->ready) {
        return "another process is already taking over";
    }
    if (!takeover_is_same_user(peer)) {
        return "it belongs to another user";
    }
    return takeover->events.refuses ? takeover->events.refuses(takeover->events.arg) : NULL;
}

/* Has the previous peer left, maybe with words that are still to be read, or is its handle still
 * closing? Then the next one is accepted one loop turn later. */
static bool is_leaving(const struct takeover *takeover)
{
    struct pollfd peer = {.fd = takeover->peer, .events = POLLRDHUP};

    return takeover->peer >= 0 && !takeover->ready &&
           (uv_is_closing((const uv_handle_t *)&takeover->peer_poll) || poll(&peer, 1, 0) > 0);
}

static void on_asked(uv_poll_t *poll, int status, int events)
{
    struct takeover *takeover = container_of(poll, struct takeover, listening);

    if (is_leaving(takeover)) {
        return;
    }
    int peer = accept4(takeover->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0) {
        return;
    }
    const char *why = refusal(takeover, peer);
    int err = why ? 0 : start_reading(takeover, peer);
    if (why || err) {
        log_warn("takeover_refused", "why=%s by=%d", why ? why : err_text(err),
                 takeover->peer >= 0 ? (int)takeover_peer(takeover->peer) : 0);
        close(peer);
    }
}

int takeover_open(uv_loop_t *loop, const char *path, const char *program,
                  const struct takeover_events *events, struct takeover **out)
{
    struct takeover *takeover = xcalloc(1, sizeof(*takeover));

    *takeover = (struct takeover){.events = *events, .peer = -1};
    snprintf(takeover->program, sizeof(takeover->program), "%s", program);
    takeover->fd = unix_listen(path, BACKLOG);
    int err =
        takeover->fd < 0 ? takeover->fd : uv_poll_init(loop, &takeover->listening, takeover->fd);
    if (err) {
        log_error("takeover_socket_failed", "path=%s err=%s", path, err_text(err));
        takeover->closed = true;
        free_if_done(takeover);
        *out = NULL;
        return err;
    }
    uv_timer_init(loop, &takeover->hello_timer);
    takeover->handles = 2;
    inherited_offer(takeover->fd);
    uv_poll_start(&takeover->listening, UV_READABLE, on_asked);
    *out = takeover;
    return 0;
}

bool takeover_is_ready(const struct takeover *takeover)
{
    return takeover && takeover->ready;
}

void takeover_release(struct takeover *takeover)
{
    char word = TAKEOVER_RELEASED;

    if (takeover && takeover->ready) {
        (void)send(takeover->peer, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

void takeover_close(struct takeover **slot)
{
    struct takeover *takeover = *slot;

    *slot = NULL;
    if (takeover) {
        takeover->closed = true;
        inherited_withdraw();
        stop_reading(takeover);
        uv_close((uv_handle_t *)&takeover->hello_timer, on_hello_timer_closed);
        uv_close((uv_handle_t *)&takeover->listening, on_listening_closed);
    }
}

/* ---- the newer process ---- */

static struct {
    struct takeover_gift gift;
    bool given, released;
    int fd, starter; /* `starter`: descriptor on which larderctl waits for us; -1: none */
    int streams[TAKEOVER_STREAMS]; /* standard output and error of the older process; -1: none */
    uv_poll_t poll;
    bool watched;
    struct takeover_end end;
} newer = {.fd = -1, .starter = -1, .streams = {-1, -1}};

#define SILENT                                                                                     \
    "the process there is silent; if it hangs, end it, and start this one without --takeover"

static int ask(const char *path, const char *program, const char **why)
{
    struct sockaddr_un address;
    struct timeval longest = {.tv_sec = TAKEOVER_SECONDS};

    if (!unix_address(path, &address)) {
        *why = "the path is too long for a unix socket";
        return -ENAMETOOLONG;
    }
    setsockopt(newer.fd, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest));
    setsockopt(newer.fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
    if (connect(newer.fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        *why = errno == EAGAIN ? SILENT : "nothing answers there";
        return errno == EAGAIN ? ERR_TIMEOUT : -errno;
    }
    if (!takeover_is_same_user(newer.fd)) {
        *why = "the process there belongs to another user";
        return ERR_REFUSED;
    }
    int err = takeover_send_hello(newer.fd, program);
    err = err ? err : takeover_receive(newer.fd, &newer.gift, newer.streams);
    /* it closed the connection before reading everything */
    err = err == -ECONNRESET || err == -EPIPE ? ERR_CLOSED : err;
    err = err == -EAGAIN ? ERR_TIMEOUT : err;
    *why = err == ERR_CLOSED        ? "it refused; its log says why"
           : err == ERR_TIMEOUT     ? SILENT
           : err == -EMFILE         ? "it has more sockets than we may have descriptors"
           : err == ERR_UNSUPPORTED ? "its version cannot be taken over from; restart it"
                                    : "it did not hand over its sockets";
    if (!err && strcmp(newer.gift.program, program) != 0) {
        *why = "another program listens there";
        err = ERR_REFUSED;
    }
    return err;
}

/* To be called before other threads start. */
static void find_starter(void)
{
    uint64_t fd;

    if (environment_number("LARDER_READY_FD", &fd) && fd <= INT_MAX &&
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0) {
        newer.starter = (int)fd;
    }
    unsetenv("LARDER_READY_FD");
}

int takeover_ask(const char *path, const char *program, const char **why)
{
    find_starter();
    files_raise_limit();
    newer.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (newer.fd < 0) {
        *why = "there is no socket";
        return -errno;
    }
    int err = ask(path, program, why);
    if (err) {
        close(newer.fd);
        newer.fd = -1;
    }
    newer.given = !err;
    notify_adopt_watchdog(newer.given ? newer.gift.watchdog_ms : 0);
    return err;
}

const struct takeover_gift *takeover_gift(void)
{
    return newer.given ? &newer.gift : NULL;
}

int takeover_begin(const char *path, const char *program)
{
    const char *why = "the directive takeover names no socket";
    int err = path ? takeover_ask(path, program, &why) : ERR_CONFIG;

    if (err) {
        fprintf(stderr, "%s: cannot take over%s%s: %s (%s)\n", program, path ? " at " : "",
                path ? path : "", why, err_text(err));
    }
    return err;
}

/* Standard output and error now go where those of the older process went, because the program that
 * started us ends. */
static void take_streams(void)
{
    static const int ours[TAKEOVER_STREAMS] = {STDOUT_FILENO, STDERR_FILENO};

    for (size_t i = 0; i < TAKEOVER_STREAMS; i++) {
        if (newer.streams[i] >= 0) {
            if (newer.starter >= 0) {
                dup2(newer.streams[i], ours[i]);
            }
            close(newer.streams[i]);
            newer.streams[i] = -1;
        }
    }
}

static void tell_starter(void)
{
    char word = TAKEOVER_READY;

    take_streams();
    if (newer.starter >= 0) {
        if (write(newer.starter, &word, 1) != 1) {
            log_warn("takeover", "what=%s", "the process that started this one no longer waits");
        }
        close(newer.starter);
        newer.starter = -1;
    }
}

void takeover_tell_ready(void)
{
    char message[64], word = TAKEOVER_READY;

    snprintf(message, sizeof(message), "READY=1\nMAINPID=%ld", (long)getpid());
    notify(newer.given ? message : "READY=1");
    /* first, so that the program that started us, and stops waiting now, knows that we serve */
    tell_starter();
    if (newer.fd >= 0 && send(newer.fd, &word, 1, MSG_NOSIGNAL) != 1) {
        log_warn("takeover", "what=%s", "the older process has ended by itself");
    }
}

static void on_poll_closed(uv_handle_t *handle)
{
    close(newer.fd);
    newer.fd = -1;
}

static void on_older(uv_poll_t *poll, int status, int events)
{
    char word;
    ssize_t n = recv(newer.fd, &word, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (!newer.released) {
        newer.released = true;
        if (newer.end.on_released) {
            newer.end.on_released(newer.end.arg);
        }
    }
    if (n <= 0) {
        takeover_forget();
        if (newer.end.on_ended) {
            newer.end.on_ended(newer.end.arg);
        }
    }
}

void takeover_watch(uv_loop_t *loop, const struct takeover_end *end)
{
    if (newer.fd < 0) {
        return;
    }
    newer.end = *end;
    CHECK(uv_poll_init(loop, &newer.poll, newer.fd) == 0);
    newer.watched = true;
    uv_poll_start(&newer.poll, UV_READABLE, on_older);
}

void takeover_forget(void)
{
    if (newer.watched) {
        newer.watched = false;
        uv_close((uv_handle_t *)&newer.poll, on_poll_closed);
    }
}
