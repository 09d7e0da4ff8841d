/*
 * relay - a wire that takes time: packets of one TUN device come out of another, a fixed time
 * later.
 *
 *     relay NAME-A NAME-B MILLISECONDS      prints "ready" when both are there, and goes on
 *
 * The devices are made here and may be moved to other network namespaces then: the descriptors stay
 * with them. Order is kept, nothing is lost unless more than LIMIT bytes are under way. Delays
 * only; for a rate there is tc. (The kernel has netem for that, where it has it.)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKET_MAX = 65536, LIMIT = 256 << 20 };

struct packet {
    struct packet *next;
    uint64_t due;
    size_t len;
    char bytes[];
};

/* One direction. */
struct wire {
    int from, to;
    struct packet *first, **last;
    size_t held;
};

static uint64_t delay_ns;

static void fatal(const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int open_tun(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        fatal(name);
    }
    return fd;
}

static void take(struct wire *wire)
{
    static char room[PACKET_MAX];
    ssize_t n;

    while ((n = read(wire->from, room, sizeof(room))) > 0) {
        struct packet *packet = NULL;
        if (wire->held + (size_t)n <= LIMIT) {
            packet = malloc(sizeof(*packet) + (size_t)n);
        }
        if (packet == NULL) {
            continue; /* dropped, like a full queue does */
        }
        *packet = (struct packet){.due = now_ns() + delay_ns, .len = (size_t)n};
        memcpy(packet->bytes, room, (size_t)n);
        *wire->last = packet;
        wire->last = &packet->next;
        wire->held += (size_t)n;
    }
}

/* A device that is down, or full, refuses; then the packet is lost, as on a real one. */
static void give(struct wire *wire, uint64_t now)
{
    struct packet *packet;

    while ((packet = wire->first) != NULL && packet->due <= now) {
        (void)!write(wire->to, packet->bytes, packet->len);
        wire->first = packet->next;
        wire->held -= packet->len;
        free(packet);
    }
    if (wire->first == NULL) {
        wire->last = &wire->first;
    }
}

static uint64_t next_due(const struct wire wires[2])
{
    uint64_t due = UINT64_MAX;

    for (int i = 0; i < 2; i++) {
        if (wires[i].first && wires[i].first->due < due) {
            due = wires[i].first->due;
        }
    }
    return due;
}

static void run(struct wire wires[2])
{
    struct pollfd watched[2] = {{.fd = wires[0].from, .events = POLLIN},
                                {.fd = wires[1].from, .events = POLLIN}};

    for (;;) {
        uint64_t now = now_ns(), due = next_due(wires);
        uint64_t left = due > now ? due - now : 0;
        struct timespec until = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
        ppoll(watched, 2, due == UINT64_MAX ? NULL : &until, NULL);
        for (int i = 0; i < 2; i++) {
            if (watched[i].revents) {
                take(&wires[i]);
            }
            give(&wires[i], now_ns());
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: relay NAME-A NAME-B MILLISECONDS\n");
        return 2;
    }
    delay_ns = (uint64_t)(atof(argv[3]) * 1e6);
    prctl(PR_SET_TIMERSLACK, 1UL);
    int a = open_tun(argv[1]), b = open_tun(argv[2]);
    struct wire wires[2] = {{.from = a, .to = b}, {.from = b, .to = a}};
    wires[0].last = &wires[0].first;
    wires[1].last = &wires[1].first;
    printf("ready\n");
    fflush(stdout);
    run(wires);
    return 0;
}
