/*
 * openloop - what wrk and h2load cannot do: requests at fixed moments, whatever the server does,
 * each timed from the moment at which it was due. And requests through CONNECT tunnels.
 *
 *     openloop [options] PORT PATH
 *       --rate N         so many a second, at random moments (Poisson); without it one after the
 *                        other on each connection, timed from when it is sent
 *       --connections N  64
 *       --objects N      `%` in PATH is a number from 1 to N
 *       --seconds N      4
 *       --connect H:P    each connection is a tunnel to there
 *       --close          a connection for each request
 *       --seed N
 *
 * HTTP/1.1 on loopback, answers with Content-Length. Prints one line of JSON. One thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
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

/* Latencies in classes of 1/64 of their power of two: 1.6 % wide at most, from 1 ns to an hour. */
enum { FINE_BITS = 6, CLASSES = 42 << FINE_BITS };

static struct {
    double rate;
    int connections;
    unsigned objects;
    double seconds;
    const char *connect;
    bool close;
    uint64_t seed;
    uint16_t port;
    const char *path;
} want = {.connections = 64, .objects = 1, .seconds = 4, .seed = 1};

enum state { CLOSED, CONNECTING, IDLE, HEAD, BODY };

struct conn {
    int fd;
    enum state state;
    bool tunnel;  /* the answer under way is the one to CONNECT */
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
static uint64_t classes[CLASSES];
static uint64_t requests, bytes, errors, worst;
static uint64_t began, ends;
static int loop;

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

static uint64_t draw(void)
{
    want.seed ^= want.seed << 13;
    want.seed ^= want.seed >> 7;
    want.seed ^= want.seed << 17;
    return want.seed;
}

static double uniform(void)
{
    return ((double)(draw() >> 11) + 0.5) / 9007199254740992.0;
}

/* ---- latencies ---- */

static unsigned class_of(uint64_t ns)
{
    unsigned power = ns < 1 << FINE_BITS ? 0 : 63u - FINE_BITS - (unsigned)__builtin_clzll(ns);
    uint64_t at = ((uint64_t)power << FINE_BITS) + (ns >> power);

    return at < CLASSES ? (unsigned)at : CLASSES - 1;
}

static double start_of(unsigned class)
{
    unsigned power = class < 2u << FINE_BITS ? 0 : (class >> FINE_BITS) - 1;

    return ldexp((double)(class - (power << FINE_BITS)), (int)power);
}

static void count_latency(uint64_t ns)
{
    classes[class_of(ns)]++;
    worst = ns > worst ? ns : worst;
}

static double quantile_ms(double share)
{
    double seen = 0, all = 0;

    for (unsigned i = 0; i < CLASSES; i++) {
        all += (double)classes[i];
    }
    for (unsigned i = 0; i < CLASSES; i++) {
        seen += (double)classes[i];
        if (all > 0 && seen >= all * share) {
            return start_of(i) / 1e6;
        }
    }
    return 0;
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
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
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
    if (send(conn->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) {
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
        snprintf(number, sizeof(number), "%llu", 1ULL + draw() % want.objects);
    }
    int len = snprintf(text, sizeof(text), "GET %.*s%s%s HTTP/1.1\r\nHost: bench\r\n%s\r\n", before,
                       want.path, number, mark ? mark + 1 : "",
                       want.close && !want.connect ? "Connection: close\r\n" : "");
    conn->due = due;
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
    if (want.rate == 0) {
        send_request(conn, now);
    } else if (queue_first != queue_last) {
        send_request(conn, queue[queue_first++ % QUEUE]);
    } else {
        idle[idle_count++] = (int)(conn - conns);
    }
}

static void close_conn(struct conn *conn)
{
    close(conn->fd);
    conn->state = CLOSED;
    conn->tunnel = false;
}

static void answered(struct conn *conn)
{
    requests++;
    count_latency(now_ns() - conn->due);
    if (want.close) {
        close_conn(conn);
        if (now_ns() < ends) {
            open_conn(conn);
        }
        return;
    }
    rest(conn);
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
    if (strncmp(conn->head + 9, "200", 3) != 0) {
        errors++;
    }
    return true;
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
    if (conn->tunnel) {
        conn->tunnel = false;
        want.close &&want.rate == 0 ? send_request(conn, now_ns()) : rest(conn);
        return;
    }
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
            failed(conn);
        } else if (now_ns() < ends) {
            failed(conn);
        } else {
            close_conn(conn);
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
    } else if (want.close && want.rate == 0) {
        send_request(conn, now_ns());
    } else {
        rest(conn);
    }
}

/* ---- moments ---- */

static uint64_t next_due;

static void advance(void)
{
    next_due += (uint64_t)(-log(uniform()) / want.rate * 1e9);
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

/* ---- the whole ---- */

static void run(void)
{
    struct epoll_event events[EVENTS];
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event ticks = {.events = EPOLLIN, .data.ptr = NULL};

    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &ticks);
    began = now_ns();
    ends = began + (uint64_t)(want.seconds * 1e9);
    next_due = began;
    for (int i = 0; i < want.connections; i++) {
        open_conn(&conns[i]);
    }
    for (uint64_t now = began; now < ends; now = now_ns()) {
        if (want.rate > 0) {
            arrive(now);
            arm(timer);
        }
        int n = epoll_wait(loop, events, EVENTS, (int)((ends - now) / 1000000u) + 1);
        for (int i = 0; i < n; i++) {
            struct conn *conn = events[i].data.ptr;
            if (conn == NULL) {
                uint64_t count;
                (void)!read(timer, &count, sizeof(count));
            } else if (conn->state == CONNECTING) {
                connected(conn);
            } else if (conn->state != CLOSED) {
                readable(conn);
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
            count_latency(now - conns[i].due);
        }
    }
    while (queue_first != queue_last) {
        count_latency(now - queue[queue_first++ % QUEUE]);
    }
}

static void print(void)
{
    double took = (double)(now_ns() - began) / 1e9;

    count_unanswered();
    printf("{\"requests\": %llu, \"seconds\": %.3f, \"bytes\": %llu, \"errors\": %llu, "
           "\"p50_ms\": %.4f, \"p90_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, "
           "\"max_ms\": %.4f}\n",
           (unsigned long long)requests, took, (unsigned long long)bytes,
           (unsigned long long)errors, quantile_ms(0.5), quantile_ms(0.9), quantile_ms(0.99),
           quantile_ms(0.999), (double)worst / 1e6);
}

static void usage(void)
{
    fprintf(stderr, "usage: openloop [--rate N] [--connections N] [--objects N] [--seconds N]\n"
                    "                [--connect HOST:PORT] [--close] [--seed N] PORT PATH\n");
    exit(2);
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"rate", 1, NULL, 'r'},    {"connections", 1, NULL, 'c'},
        {"objects", 1, NULL, 'o'}, {"seconds", 1, NULL, 's'},
        {"connect", 1, NULL, 'C'}, {"close", 0, NULL, 'x'},
        {"seed", 1, NULL, 'S'},    {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            want.rate = atof(optarg);
            break;
        case 'c':
            want.connections = atoi(optarg);
            break;
        case 'o':
            want.objects = (unsigned)atoi(optarg);
            break;
        case 's':
            want.seconds = atof(optarg);
            break;
        case 'C':
            want.connect = optarg;
            break;
        case 'x':
            want.close = true;
            break;
        case 'S':
            want.seed = strtoull(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 2 || want.connections < 1 || want.objects < 1 || want.seconds <= 0 ||
        want.seed == 0 || want.rate < 0) {
        usage();
    }
    want.port = (uint16_t)atoi(argv[optind]);
    want.path = argv[optind + 1];
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
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
