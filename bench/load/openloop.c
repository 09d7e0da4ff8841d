/*
 * openloop - what wrk and h2load cannot do: requests at fixed moments, whatever the server does,
 * each timed from the moment at which it was due. And requests through CONNECT tunnels.
 *
 *     openloop [options] PORT PATH
 *       --rate N         so many a second, at random moments (Poisson); without it one after the
 *                        other on each connection, timed from when it is sent
 *       --connections N  64
 *       --objects N      `%` in PATH is a number from 1 to N
 *       --zipf A         of these, as often as 1/rank^A; evenly without
 *       --fresh SHARE    of the requests are for a number above N that was not asked for before
 *       --host ADDRESS   127.0.0.1
 *       --seconds N      4
 *       --connect H:P    each connection is a tunnel to there
 *       --close          a connection for each request
 *       --seed N
 *
 * HTTP/1.1 on loopback, answers with Content-Length. One thread. Prints one line of JSON. Its
 * "busy" is the part of the time in which there was something to do here: near 1, this program is
 * what made requests late, and not the server.
 */
#include "bench/load/draw.h"
#include "bench/load/latency.h"
#include "bench/load/openloop_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, ROOM = 65536, EVENTS = 256, QUEUE = 1 << 20 };

enum state { CLOSED, CONNECTING, IDLE, HEAD, BODY };

struct conn {
    int fd;
    enum state state;
    bool tunnel;  /* the answer under way is the one to CONNECT */
    bool kept;    /* something was answered here */
    bool again;   /* its request is to be sent once more, on another connection */
    uint64_t due; /* when the request under way should have been sent */
    uint64_t left;
    size_t have;
    char head[HEAD_MAX];
};

static struct conn *conns;
static int *idle; /* a stack of connections that have nothing to do */
static int idle_count;
static uint64_t *queue; /* due requests that wait for a connection */
static uint64_t queue_first, queue_last;
static uint64_t requests, bytes, errors, asked_fresh;
static uint64_t began, ends;
static uint64_t rested; /* nanoseconds in which there was nothing to do */
static int loop;
static char authority[300]; /* as other clients would say it: a cache goes by it */

static void fatal(const char *what)
{
    fprintf(stderr, "openloop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The number of the object that is asked for. */
static unsigned long long draw_object(void)
{
    if (want.fresh > 0 && draw_uniform() < want.fresh) {
        return (unsigned long long)want.objects + ++asked_fresh;
    }
    return want.zipf > 0 ? draw_rank() : 1 + draw() % (uint64_t)want.objects;
}

/* ---- connections ---- */

static void watch(struct conn *conn, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};

    if (epoll_ctl(loop, how, conn->fd, &event) != 0) {
        fatal("epoll_ctl");
    }
}

static void open_conn(struct conn *conn)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(want.port),
                             .sin_addr.s_addr = inet_addr(want.host)};
    int on = 1;

    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (conn->fd < 0) {
        fatal("socket");
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        fatal("connect");
    }
    conn->state = CONNECTING;
    watch(conn, EPOLLOUT, EPOLL_CTL_ADD);
}

static void send_text(struct conn *conn, const char *text, size_t len)
{
    ssize_t n = send(conn->fd, text, len, MSG_NOSIGNAL);

    /* What is closed already is read next. */
    if (n != (ssize_t)len && (n >= 0 || errno == EAGAIN)) {
        errors++;
    }
    conn->state = HEAD;
    conn->have = 0;
}

static void send_request(struct conn *conn, uint64_t due)
{
    char text[2048];
    const char *mark = strchr(want.path, '%');
    int before = mark ? (int)(mark - want.path) : (int)strlen(want.path);
    char number[24] = "";

    if (mark) {
        snprintf(number, sizeof(number), "%llu", draw_object());
    }
    int len = snprintf(text, sizeof(text), "GET %.*s%s%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", before,
                       want.path, number, mark ? mark + 1 : "", authority,
                       want.close && !want.connect ? "Connection: close\r\n" : "");
    conn->due = due;
    conn->again = false;
    send_text(conn, text, (size_t)len);
}

static void send_connect(struct conn *conn)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", want.connect,
                       want.connect);

    conn->tunnel = true;
    send_text(conn, text, (size_t)len);
}

/* It has nothing to do: what is due first, or with no rate the next request. */
static void rest(struct conn *conn)
{
    uint64_t now = now_ns();

    conn->state = IDLE;
    if (now >= ends) {
        return;
    }
    if (conn->again) {
        send_request(conn, conn->due);
    } else if (want.rate == 0) {
        send_request(conn, now);
    } else if (queue_first != queue_last) {
        send_request(conn, queue[queue_first++ % QUEUE]);
    } else {
        idle[idle_count++] = (int)(conn - conns);
    }
}

/* It may be asked now, for the first time. */
static void begin(struct conn *conn)
{
    if (want.close && want.rate == 0) {
        send_request(conn, now_ns());
    } else {
        rest(conn);
    }
}

static void close_conn(struct conn *conn)
{
    close(conn->fd);
    conn->state = CLOSED;
    conn->tunnel = conn->kept = false;
}

static void answered(struct conn *conn)
{
    requests++;
    conn->kept = true;
    latency_count(now_ns() - conn->due);
    if (want.close) {
        close_conn(conn);
        if (now_ns() < ends) {
            open_conn(conn);
        }
        return;
    }
    rest(conn);
}

/* The server closed a kept connection while a request was on its way: it may be sent again
 * (RFC 9112, 9.3.1), and has waited since it was due. */
static bool may_ask_again(const struct conn *conn)
{
    return conn->state == HEAD && conn->have == 0 && conn->kept;
}

/* The server does not wait for ever for a request. That is no error, and another is opened. */
static void dismissed(struct conn *conn)
{
    for (int i = 0; i < idle_count; i++) {
        if (idle[i] == (int)(conn - conns)) {
            idle[i] = idle[--idle_count];
            break;
        }
    }
    close_conn(conn);
    open_conn(conn);
}

static void failed(struct conn *conn)
{
    errors++;
    close_conn(conn);
    if (errors > 1000) {
        fprintf(stderr, "openloop: a thousand requests have failed\n");
        exit(1);
    }
    open_conn(conn);
}

static bool read_head(struct conn *conn, size_t *rest_at)
{
    char *end = memmem(conn->head, conn->have, "\r\n\r\n", 4);

    if (!end) {
        return false;
    }
    *end = '\0';
    *rest_at = (size_t)(end + 4 - conn->head);
    const char *length = strcasestr(conn->head, "\r\ncontent-length:");
    conn->left = length && !conn->tunnel ? strtoull(length + 17, NULL, 10) : 0;
    return true;
}

static bool is_200(const struct conn *conn)
{
    return strncmp(conn->head + 9, "200", 3) == 0;
}

/* The bytes of a body that came. */
static void took(struct conn *conn, size_t n)
{
    bytes += n;
    conn->left -= n < conn->left ? n : conn->left;
    if (conn->left == 0) {
        answered(conn);
    }
}

static void take_head(struct conn *conn, const char *data, size_t n)
{
    size_t body;

    if (conn->have + n > HEAD_MAX - 1) {
        n = HEAD_MAX - 1 - conn->have;
    }
    memcpy(conn->head + conn->have, data, n);
    conn->have += n;
    if (!read_head(conn, &body)) {
        return;
    }
    size_t more = conn->have - body;
    if (conn->tunnel && !is_200(conn)) {
        failed(conn); /* what went on here would be no tunnel */
        return;
    }
    if (conn->tunnel) {
        conn->tunnel = false;
        begin(conn);
        return;
    }
    errors += !is_200(conn);
    conn->state = BODY;
    took(conn, more);
}

static void readable(struct conn *conn)
{
    static char room[ROOM];
    ssize_t n = recv(conn->fd, room, conn->state == HEAD ? HEAD_MAX / 2 : ROOM, 0);

    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        if (conn->state == IDLE) {
            dismissed(conn);
        } else if (now_ns() >= ends) {
            close_conn(conn);
        } else if (may_ask_again(conn)) {
            conn->again = true;
            close_conn(conn);
            open_conn(conn);
        } else {
            failed(conn);
        }
        return;
    }
    if (conn->state == HEAD) {
        take_head(conn, room, (size_t)n);
    } else if (conn->state == BODY) {
        took(conn, (size_t)n);
    }
}

static void connected(struct conn *conn)
{
    int err = 0;
    socklen_t len = sizeof(err);

    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err) {
        failed(conn);
        return;
    }
    watch(conn, EPOLLIN, EPOLL_CTL_MOD);
    if (want.connect) {
        send_connect(conn);
    } else {
        begin(conn);
    }
}

/* ---- moments ---- */

static uint64_t next_due;

static void advance(void)
{
    next_due += (uint64_t)(-log(draw_uniform()) / want.rate * 1e9);
}

/* Everything that is due by now. */
static void arrive(uint64_t now)
{
    while (next_due <= now && next_due < ends) {
        if (idle_count > 0) {
            send_request(&conns[idle[--idle_count]], next_due);
        } else if (queue_last - queue_first < QUEUE) {
            queue[queue_last++ % QUEUE] = next_due;
        } else {
            errors++;
        }
        advance();
    }
}

static void arm(int timer)
{
    struct itimerspec when = {
        .it_value = {(time_t)(next_due / 1000000000u), (long)(next_due % 1000000000u)}};

    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Does a connection wait for the next moment? While all of them wait for the server, moments may
 * pass. */
static bool is_timed(void)
{
    return want.rate > 0 && idle_count > 0;
}

/* What has come. If nothing has, and nothing is due, waits until it does or is. */
static int await(int timer, struct epoll_event *events)
{
    int count = epoll_wait(loop, events, EVENTS, 0);
    uint64_t now = now_ns();

    if (count != 0 || now >= ends || (is_timed() && next_due <= now)) {
        return count;
    }
    if (is_timed()) {
        arm(timer);
    }
    count = epoll_wait(loop, events, EVENTS, (int)((ends - now) / 1000000u) + 1);
    uint64_t woken = now_ns();
    rested += (is_timed() && next_due < woken ? next_due : woken) - now;
    return count;
}

/* ---- the whole ---- */

static void handle(struct conn *conn)
{
    if (conn->state == CONNECTING) {
        connected(conn);
    } else if (conn->state != CLOSED) {
        readable(conn);
    }
}

/* Opening is no part of what is measured at a rate: who keeps connections has them already. */
static void connect_all(void)
{
    struct epoll_event events[EVENTS];

    ends = UINT64_MAX;
    for (int i = 0; i < (int)want.connections; i++) {
        open_conn(&conns[i]);
    }
    while (want.rate > 0 && idle_count < (int)want.connections) {
        int n = epoll_wait(loop, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            handle(events[i].data.ptr);
        }
    }
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event ticks = {.events = EPOLLIN, .data.ptr = NULL};

    connect_all();
    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &ticks);
    began = now_ns();
    ends = began + (uint64_t)(want.seconds * 1e9);
    next_due = began;
    for (uint64_t now = began; now < ends; now = now_ns()) {
        if (want.rate > 0) {
            arrive(now);
        }
        int n = await(timer, events);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                handle(events[i].data.ptr);
            } else {
                uint64_t count;
                (void)!read(timer, &count, sizeof(count));
            }
        }
    }
}

/* What was due and has no answer has waited at least so long. */
static void count_unanswered(void)
{
    uint64_t now = now_ns();

    if (want.rate == 0) {
        return;
    }
    for (int i = 0; i < want.connections; i++) {
        if (conns[i].state == HEAD || conns[i].state == BODY) {
            latency_count(now - conns[i].due);
        }
    }
    while (queue_first != queue_last) {
        latency_count(now - queue[queue_first++ % QUEUE]);
    }
    for (; next_due < ends; advance()) {
        latency_count(now - next_due);
    }
}

static void print(void)
{
    double took = (double)(now_ns() - began) / 1e9;

    count_unanswered();
    printf("{\"requests\": %llu, \"seconds\": %.3f, \"bytes\": %llu, \"errors\": %llu, "
           "\"mean_ms\": %.4f, \"p50_ms\": %.4f, \"p90_ms\": %.4f, \"p99_ms\": %.4f, "
           "\"p999_ms\": %.4f, \"max_ms\": %.4f, \"busy\": %.4f}\n",
           (unsigned long long)requests, took, (unsigned long long)bytes,
           (unsigned long long)errors, latency_mean_ms(), latency_quantile_ms(0.5),
           latency_quantile_ms(0.9), latency_quantile_ms(0.99), latency_quantile_ms(0.999),
           latency_worst_ms(), 1 - (double)rested / 1e9 / took);
}

int main(int argc, char **argv)
{
    options_read(argc, argv);
    draw_seed((uint64_t)want.first_seed);
    snprintf(authority, sizeof(authority), want.port == 80 ? "%s" : "%s:%u", want.host, want.port);
    if (want.zipf > 0 && !draw_weigh((unsigned)want.objects, want.zipf)) {
        fatal("memory");
    }
    loop = epoll_create1(0);
    conns = calloc((size_t)want.connections, sizeof(*conns));
    idle = calloc((size_t)want.connections, sizeof(*idle));
    queue = malloc(QUEUE * sizeof(*queue));
    if (loop < 0 || !conns || !idle || !queue) {
        fatal("memory");
    }
    run();
    print();
    return 0;
}
