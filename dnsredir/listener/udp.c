#include "dnsredir/listener/udp.h"

#include "base/clock.h"
#include "base/inherited.h"
#include "base/list.h"
#include "base/mem.h"
#include "dnsredir/listener/listener.h"
#include "dnsredir/resolver/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

/* How many packets one system call moves. More gains nothing that can be measured: what is left is
 * the kernel's work per packet. */
#define BATCH 32
/* How many batches one wake-up handles, so that a flood cannot keep the loop from TCP and from
 * stopping. */
#define ROUNDS_MAX 32
#define QUERIES_MAX 256
/* After so many microseconds a wake-up begins no other batch. */
#define TURN_US 2000
/* A socket is busy when so many queries come at once, or so soon after the last ones. The loop does
 * not watch a busy socket: for each packet that is sent the kernel wakes who watches the socket,
 * because there is room to send, and that is a tenth of what an answer costs. To stop watching and
 * to begin again takes three system calls. If a worker has a single socket, and waits for nothing
 * else, it waits in that socket itself (in recvmmsg), which saves asking the loop. The rest of the
 * loop has its turn after ROUNDS_MAX batches or TURN_US, or when nothing has come for WAIT_US (as
 * precise as the kernel's ticks). */
#define BUSY_COUNT 8
#define BUSY_GAP_US 100
#define WAIT_US 1000
/* A query is a question and an OPT, and we tell clients to send no more than DNS_UDP_MAX bytes. */
#define QUERY_MAX 2048
/* About 10,000 small queries may wait while the worker is elsewhere; the default holds 256. */
#define RECEIVE_BUFFER (4 << 20)
#define CONTROL_MAX 64

struct udp {
    struct worker *worker;
    uv_poll_t poll;
    int fd;
    bool alone;       /* the worker has no other socket */
    bool watched;     /* the loop watches the socket */
    uint64_t last_us; /* when queries arrived last */
    bool any_address; /* bound to no address: each answer must leave from the one asked */

    struct mmsghdr in[BATCH];
    struct mmsghdr out[BATCH];
    struct iovec in_iov[BATCH];
    struct iovec out_iov[BATCH];
    struct sockaddr_storage peers[BATCH];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL_MAX];
    uint8_t queries[BATCH][QUERY_MAX];
    uint8_t answers[BATCH][DNS_UDP_MAX];
};

/* recvmmsg() overwrites the lengths, so they are set before each call. */
static void prepare(struct udp *udp)
{
    for (unsigned i = 0; i < BATCH; i++) {
        struct msghdr *header = &udp->in[i].msg_hdr;
        header->msg_namelen = sizeof(udp->peers[i]);
        header->msg_controllen = udp->any_address ? CONTROL_MAX : 0;
    }
}

/* Makes the answer leave from the address that the query came to, by whatever interface leads to
 * the client: the kernel's control message of the query serves for that, without its interface. */
static void pin_source(struct msghdr *header)
{
    struct cmsghdr *message = CMSG_FIRSTHDR(header);

    if (!message) {
        return;
    }
    if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(message);
        info->ipi_ifindex = 0;
    } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(message);
        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) {
            info->ipi6_ifindex = 0;
        }
    }
}

/* Sends the answer to an update, which was committed meanwhile. */
static void send_update_reply(struct update_job *job)
{
    struct udp *udp = job->owner;
    struct iovec bytes = {job->reply, job->reply_len};
    struct msghdr message = {
        .msg_name = &job->peer,
        .msg_namelen = job->peer_len,
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = job->control_len ? job->control : NULL,
        .msg_controllen = job->control_len,
    };

    pin_source(&message);
    if (sendmsg(udp->fd, &message, MSG_DONTWAIT) < 0) {
        metric_add(&udp->worker->counters.send_failures, 1);
    }
    update_job_free(&job);
}

/* The time at which a batch was received, by the clocks that answers need. */
struct times {
    uint32_t wall;
    uint64_t mono_us;
};

/* How the answer of the resolver gets back to the client. */
struct udp_ticket {
    struct ticket ticket;
    struct udp *udp;
    struct sockaddr_storage peer;
    socklen_t peer_len;
    size_t control_len;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_MAX];
};

static void on_answered(struct ticket *base, struct span answer)
{
    struct udp_ticket *ticket = container_of(base, struct udp_ticket, ticket);
    const struct udp *udp = ticket->udp;
    union {
        const char *from;
        void *to;
    } bytes = {.from = answer.at}; /* the kernel only reads it */
    struct iovec iov = {bytes.to, answer.len};
    struct msghdr header = {
        .msg_name = &ticket->peer,
        .msg_namelen = ticket->peer_len,
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = ticket->control_len ? ticket->control : NULL,
        .msg_controllen = ticket->control_len,
    };

    if (sendmsg(udp->fd, &header, MSG_DONTWAIT) < 0) {
        metric_add(&udp->worker->counters.send_failures, 1);
    }
    free(ticket);
}

/* Packet `i`, as far as it is read: of one that the kernel has truncated only the header, so that
 * the client is told. */
static struct span packet_at(struct udp *udp, unsigned i)
{
    if (udp->in[i].msg_hdr.msg_flags & MSG_TRUNC) {
        metric_add(&udp->worker->counters.udp_oversized, 1);
        return span_of(udp->queries[i], DNS_HEADER_LEN);
    }
    return span_of(udp->queries[i], udp->in[i].msg_len);
}

/* Hands packet `i` to the resolver. Returns 0, or the length of an answer in `room` if the resolver
 * has too much to do. */
static size_t defer_packet(struct udp *udp, const struct snapshot *snapshot, unsigned i, void *room,
                           const struct client *client, const struct answer_note *note)
{
    struct msghdr *header = &udp->in[i].msg_hdr;
    struct udp_ticket *ticket = xcalloc(1, sizeof(*ticket));

    ticket->ticket = (struct ticket){udp->worker, on_answered};
    ticket->udp = udp;
    ticket->peer = udp->peers[i];
    ticket->peer_len = header->msg_namelen;
    if (udp->any_address) {
        pin_source(header);
        memcpy(ticket->control, header->msg_control, header->msg_controllen);
        ticket->control_len = header->msg_controllen;
    }
    size_t len = resolver_take(snapshot->resolver, client, note,
                               span_of(udp->queries[i], udp->in[i].msg_len), room, &ticket->ticket);
    if (len) {
        free(ticket);
    } else {
        udp->worker->others++;
    }
    return len;
}

/* A packet of a batch that was read, and who sent it. */
struct incoming {
    struct client client;
    struct query_packet read;
};

/* Reads packet `i`, so that what its answer needs is on its way from memory when its turn comes. */
static void read_packet(struct udp *udp, const struct snapshot *snapshot, unsigned i,
                        const struct times *times, struct incoming *out)
{
    out->client = (struct client){
        .ip = ip_of_sockaddr((struct sockaddr *)&udp->peers[i]),
        .now = times->wall,
        .now_us = times->mono_us,
        .limiter = udp->worker->limiter,
    };
    query_packet_read(packet_at(udp, i), &out->read);
    answer_expect(&snapshot->view, &out->client.ip, &out->read);
}

/* Answers packet `i`. Returns whether there is an answer, to be sent as number `n`. */
static bool answer_packet(struct udp *udp, const struct snapshot *snapshot, unsigned i, unsigned n,
                          struct incoming *from)
{
    struct msghdr *header = &udp->in[i].msg_hdr;
    struct answer_note note;
    struct reply_route back = {.send_reply = send_update_reply, .owner = udp, .from = header};

    size_t len = listener_answer(udp->worker, snapshot, &from->client, &from->read, &back,
                                 udp->answers[n], &note);
    if (len == 0 && note.deferred) {
        len = defer_packet(udp, snapshot, i, udp->answers[n], &from->client, &note);
    }
    if (len == 0) {
        return false;
    }
    struct msghdr *reply = &udp->out[n].msg_hdr;
    udp->out_iov[n].iov_len = len;
    reply->msg_name = header->msg_name;
    reply->msg_namelen = header->msg_namelen;
    reply->msg_control = NULL;
    reply->msg_controllen = 0;
    if (udp->any_address) {
        pin_source(header);
        reply->msg_control = header->msg_control;
        reply->msg_controllen = header->msg_controllen;
    }
    return true;
}

/* Sends the answers. One that the kernel refuses (no route, a forged address, a full queue) is lost
 * like any datagram, and must not hold up those behind it. */
static void send_answers(struct udp *udp, unsigned count)
{
    unsigned sent = 0;

    while (sent < count) {
        int n = sendmmsg(udp->fd, udp->out + sent, count - sent, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            metric_add(&udp->worker->counters.send_failures, 1);
            n = 1;
        }
        sent += (unsigned)n;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void watch(struct udp *udp)
{
    uv_poll_start(&udp->poll, UV_READABLE, on_readable);
    udp->watched = true;
}

static void unwatch(struct udp *udp)
{
    uv_poll_stop(&udp->poll);
    udp->watched = false;
}

/* Answers a batch of `got` packets, reading each before the one in front of it is answered. */
static void answer_batch(struct udp *udp, unsigned got)
{
    const struct snapshot *snapshot = publish_enter(udp->worker->publish, udp->worker->number);
    struct times times = {(uint32_t)clock_wall(), udp->last_us};
    struct incoming packets[2];
    unsigned count = 0;

    read_packet(udp, snapshot, 0, &times, &packets[0]);
    for (unsigned i = 0; i < got; i++) {
        if (i + 1 < got) {
            read_packet(udp, snapshot, i + 1, &times, &packets[(i + 1) % 2]);
        }
        count += answer_packet(udp, snapshot, i, count, &packets[i % 2]);
    }
    publish_leave(udp->worker->publish, udp->worker->number);
    send_answers(udp, count);
    uint64_t took = clock_mono_us() - udp->last_us;
    histogram_observe(&udp->worker->counters.batch, took);
    latency_observe(&udp->worker->counters.latency, took, count);
}

/* Receives a batch; `waits`: waits for one in the socket. Returns the number of packets; 0: there
 * are none now. */
static unsigned receive(struct udp *udp, bool waits)
{
    prepare(udp);
    metric_add(&udp->worker->counters.udp_waits, waits);
    int got = recvmmsg(udp->fd, udp->in, BATCH, waits ? MSG_WAITFORONE : MSG_DONTWAIT, NULL);
    if (got <= 0) {
        return 0;
    }
    metric_add(&udp->worker->counters.udp_queries, (uint64_t)got);
    uint64_t now_us = clock_mono_us();
    if (udp->watched && (got >= BUSY_COUNT || now_us - udp->last_us < BUSY_GAP_US)) {
        unwatch(udp);
    }
    udp->last_us = now_us;
    return (unsigned)got;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp *udp = container_of(poll, struct udp, poll);
    unsigned answered = 0;
    uint64_t begun_us = 0;
    bool goes_on = true;
    bool waits = false;

    for (unsigned round = 0; goes_on && round < ROUNDS_MAX && answered < QUERIES_MAX; round++) {
        unsigned got = receive(udp, waits);
        if (got == 0) {
            break;
        }
        begun_us = begun_us ? begun_us : udp->last_us;
        answer_batch(udp, got);
        answered += got;
        waits = udp->alone && !udp->watched && udp->worker->others == 0;
        goes_on = (got == BATCH || waits) && udp->last_us - begun_us < TURN_US;
    }
    if (!udp->watched) {
        watch(udp);
    }
}

/* Between two turns of the loop the socket is always watched, busy or not. */
void udp_drain(struct udp *udp)
{
    unwatch(udp);
}

static void wire_up(struct udp *udp)
{
    for (unsigned i = 0; i < BATCH; i++) {
        udp->in_iov[i] = (struct iovec){udp->queries[i], QUERY_MAX};
        udp->out_iov[i] = (struct iovec){udp->answers[i], 0};
        udp->in[i].msg_hdr = (struct msghdr){
            .msg_name = &udp->peers[i],
            .msg_iov = &udp->in_iov[i],
            .msg_iovlen = 1,
            .msg_control = udp->control[i],
        };
        udp->out[i].msg_hdr = (struct msghdr){.msg_iov = &udp->out_iov[i], .msg_iovlen = 1};
    }
}

static bool is_any_address(const struct endpoint *endpoint)
{
    struct ip ip = ip_of_sockaddr((const struct sockaddr *)&endpoint->address);
    static const uint8_t zero[16] = {0};

    return ip_is_v4(&ip) ? memcmp(ip.at + 12, zero, 4) == 0 : memcmp(ip.at, zero, 16) == 0;
}

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_options(struct udp *udp, const struct endpoint *endpoint, bool bound)
{
    bool v4 = endpoint->address.ss_family == AF_INET;
    int err = bound ? 0 : set(udp->fd, SOL_SOCKET, SO_REUSEPORT, 1);

    set(udp->fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    if (!err && !v4 && !bound) {
        err = set(udp->fd, IPPROTO_IPV6, IPV6_V6ONLY, endpoint_v6only(endpoint));
    }
    if (!err && udp->any_address) {
        err = v4 ? set(udp->fd, IPPROTO_IP, IP_PKTINFO, 1)
                 : set(udp->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
    /* Answers are small, and nobody on the way may cut them in pieces (RFC 9715): what forged ICMP
     * says of the path counts for nothing. What cannot be cut needs no number, so the kernel has
     * less to do. */
    if (!err && (v4 || !endpoint_v6only(endpoint))) {
        err = set(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    }
    return err;
}

/* Starts to watch the socket. Reads from the loop do not block; if the worker waits in the socket
 * itself, it does so for at most WAIT_US. */
static int watch_at_first(struct udp *udp)
{
    struct timeval longest = {.tv_usec = WAIT_US};
    int err = uv_poll_init(&udp->worker->loop, &udp->poll, udp->fd); /* makes it non-blocking */

    if (!err && udp->alone &&
        (fcntl(udp->fd, F_SETFL, 0) < 0 ||
         setsockopt(udp->fd, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest)) < 0)) {
        udp->alone = false;
    }
    if (!err) {
        watch(udp);
    }
    return err;
}

int udp_open(struct worker *worker, const struct endpoint *endpoint, struct udp **out)
{
    struct udp *udp = xcalloc(1, sizeof(*udp));
    int family = endpoint->address.ss_family;

    udp->worker = worker;
    udp->alone = worker->udp_sockets == 1;
    udp->any_address = is_any_address(endpoint);
    wire_up(udp);
    udp->fd = inherited_socket((const struct sockaddr *)&endpoint->address, SOCK_DGRAM);
    bool bound = udp->fd >= 0;
    udp->fd = bound ? udp->fd : socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = udp->fd < 0 ? -errno : set_options(udp, endpoint, bound);
    if (!err && !bound &&
        bind(udp->fd, (const struct sockaddr *)&endpoint->address, endpoint->len) < 0) {
        err = -errno;
    }
    if (!err) {
        err = watch_at_first(udp);
    }
    if (!err) {
        inherited_offer(udp->fd);
    }
    if (err) {
        if (udp->fd >= 0) {
            close(udp->fd);
        }
        free(udp);
        return err;
    }
    *out = udp;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct udp *udp = container_of(handle, struct udp, poll);

    close(udp->fd);
    free(udp);
}

void udp_close(struct udp **udp)
{
    if (*udp) {
        uv_close((uv_handle_t *)&(*udp)->poll, on_closed);
        *udp = NULL;
    }
}
