#include "base/takeover.h"

#include "base/err.h"
#include "base/inherited.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/takeover_wire.h"
#include "base/unix_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { BACKLOG = 8 };

struct takeover {
    uv_poll_t listening, asking; /* `asking` only while somebody is there */
    struct takeover_events events;
    int fd, peer; /* peer -1: nobody */
    int handles;
    bool ready, closed;
};

/* ---- the older one ---- */

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

static void on_asking_closed(uv_handle_t *handle)
{
    struct takeover *takeover = container_of(handle, struct takeover, asking);

    takeover->handles--;
    if (!takeover->ready) {
        close(takeover->peer);
        takeover->peer = -1;
    }
    free_if_done(takeover);
}

static void stop_asking(struct takeover *takeover)
{
    if (takeover->peer >= 0 && !uv_is_closing((uv_handle_t *)&takeover->asking)) {
        uv_close((uv_handle_t *)&takeover->asking, on_asking_closed);
    }
}

/* The descriptor stays open once it is ready: its end tells the other that we have ended. */
static void on_word(uv_poll_t *poll, int status, int events)
{
    struct takeover *takeover = container_of(poll, struct takeover, asking);
    char word = 0;
    ssize_t n = recv(takeover->peer, &word, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    takeover->ready = n == 1 && word == TAKEOVER_READY;
    stop_asking(takeover);
    if (takeover->ready) {
        uv_poll_stop(&takeover->listening); /* who asks there now asks the newer one */
        inherited_withdraw();
        log_info("takeover", "what=%s", "a newer process serves; this one drains");
        takeover->events.on_ready(takeover->events.arg);
    } else {
        log_warn("takeover_failed", "why=%s", "the newer process ended before it was ready");
    }
}

static void give(struct takeover *takeover, int peer)
{
    struct takeover_gift gift = {.watchdog_ms = notify_watchdog_ms()};
    struct timeval longest = {.tv_sec = TAKEOVER_SECONDS};
    size_t count;
    const int *sockets = inherited_offers(&count);

    takeover->events.on_gift(takeover->events.arg, &gift);
    gift.sockets = (uint32_t)count;
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
    int err = takeover_send(peer, &gift, sockets);
    if (!err) {
        err = uv_poll_init(takeover->listening.loop, &takeover->asking, peer);
    }
    if (err) {
        log_warn("takeover_failed", "why=%s", err_text(err));
        close(peer);
        return;
    }
    takeover->peer = peer;
    takeover->handles++;
    uv_poll_start(&takeover->asking, UV_READABLE, on_word);
    log_info("takeover_begins", "sockets=%zu", count);
}

static const char *refusal(const struct takeover *takeover, int peer)
{
    if (takeover->peer >= 0 || takeover->ready) {
        return "another process takes over already";
    }
    if (!takeover_is_same_user(peer)) {
        return "it is of another user";
    }
    return takeover->events.refuses ? takeover->events.refuses(takeover->events.arg) : NULL;
}

static void on_asked(uv_poll_t *poll, int status, int events)
{
    struct takeover *takeover = container_of(poll, struct takeover, listening);
    int peer = accept4(takeover->fd, NULL, NULL, SOCK_CLOEXEC);

    if (peer < 0) {
        return;
    }
    const char *why = refusal(takeover, peer);
    if (why) {
        log_warn("takeover_refused", "why=%s", why);
        close(peer);
        return;
    }
    give(takeover, peer);
}

int takeover_open(uv_loop_t *loop, const char *path, const struct takeover_events *events,
                  struct takeover **out)
{
    struct takeover *takeover = xcalloc(1, sizeof(*takeover));

    *takeover = (struct takeover){.events = *events, .peer = -1};
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
    takeover->handles = 1;
    inherited_offer(takeover->fd);
    uv_poll_start(&takeover->listening, UV_READABLE, on_asked);
    *out = takeover;
    return 0;
}

bool takeover_is_ready(const struct takeover *takeover)
{
    return takeover->ready;
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
        stop_asking(takeover);
        uv_close((uv_handle_t *)&takeover->listening, on_listening_closed);
    }
}

/* ---- the newer one ---- */

static struct {
    struct takeover_gift gift;
    bool given, released;
    int fd;
    uv_poll_t poll;
    bool watched;
    struct takeover_end end;
} newer = {.fd = -1};

static int ask(const char *path, const char *program, const char **why)
{
    struct sockaddr_un address;
    struct timeval longest = {.tv_sec = TAKEOVER_SECONDS};

    if (!unix_address(path, &address)) {
        *why = "the path is too long for a unix socket";
        return -ENAMETOOLONG;
    }
    if (connect(newer.fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        *why = "nobody answers there";
        return -errno;
    }
    if (!takeover_is_same_user(newer.fd)) {
        *why = "the process there is of another user";
        return ERR_REFUSED;
    }
    setsockopt(newer.fd, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest));
    int err = takeover_receive(newer.fd, &newer.gift);
    *why = err == ERR_CLOSED        ? "it refused; its log says why"
           : err == ERR_UNSUPPORTED ? "its version cannot be taken over from; restart it"
                                    : "it did not give its sockets";
    if (!err && strcmp(newer.gift.program, program) != 0) {
        *why = "another program listens there";
        err = ERR_REFUSED;
    }
    return err;
}

int takeover_ask(const char *path, const char *program, const char **why)
{
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

void takeover_tell_ready(void)
{
    char message[64], word = TAKEOVER_READY;

    snprintf(message, sizeof(message), "READY=1\nMAINPID=%ld", (long)getpid());
    notify(newer.given ? message : "READY=1");
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
        newer.end.on_released(newer.end.arg);
    }
    if (n <= 0) {
        takeover_forget();
        newer.end.on_ended(newer.end.arg);
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
