/*
 * ecsload - queries with another client subnet each, which dnsperf has no way to ask: networks
 * as in bench/harness/redirectors.py, a hundred queries under way.
 *
 *     ecsload PORT SECONDS [NETWORKS]      20,000 networks without it, at most a million
 *
 * Prints how many were answered, and how many of these were wrong.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define NETWORKS_MAX 1000000
#define WINDOW 100u
#define BATCH 32u
#define ROOM 1232u

/* www.bench.example A, EDNS, client subnet ?.?.?.0/24. */
static const unsigned char query[] = {
    0,    0,    0,   0, 0,   1,   0,   0,   0,   0,   0,   1, 3, 'w', 'w', 'w', 5,  'b', 'e',
    'n',  'c',  'h', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1,   0,   1,   0,  0,   41,
    0x04, 0xd0, 0,   0, 0,   0,   0,   11,  0,   8,   0,   7, 0, 1,   24,  0,   10, 0,   0};
enum { NETWORK_AT = sizeof(query) - 3, QUESTION_END = 35 };

static unsigned char out[BATCH][sizeof(query)], in[BATCH][ROOM];
static struct iovec out_at[BATCH], in_at[BATCH];
static struct mmsghdr sends[BATCH], receives[BATCH];

static void fatal(const char *what)
{
    perror(what);
    exit(1);
}

static int open_socket(const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((unsigned short)atoi(port))};
    struct timeval patience = {.tv_usec = 100000};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
        fatal("socket");
    }
    return fd;
}

static void prepare(void)
{
    for (unsigned i = 0; i < BATCH; i++) {
        memcpy(out[i], query, sizeof(query));
        out_at[i] = (struct iovec){out[i], sizeof(query)};
        in_at[i] = (struct iovec){in[i], ROOM};
        sends[i].msg_hdr = (struct msghdr){.msg_iov = &out_at[i], .msg_iovlen = 1};
        receives[i].msg_hdr = (struct msghdr){.msg_iov = &in_at[i], .msg_iovlen = 1};
    }
}

static unsigned networks = 20000;

/* The id tells the network; of more than fit into it those with the same have the same replica. */
static unsigned send_some(int fd, unsigned number, unsigned next)
{
    for (unsigned i = 0; i < number; i++) {
        unsigned network = (unsigned)((next + i) * UINT64_C(7919) % networks);
        out[i][0] = (unsigned char)(network >> 8);
        out[i][1] = (unsigned char)network;
        out[i][NETWORK_AT] = (unsigned char)(10 + network / 65536);
        out[i][NETWORK_AT + 1] = (unsigned char)(network / 256);
        out[i][NETWORK_AT + 2] = (unsigned char)network;
    }
    int sent = sendmmsg(fd, sends, number, 0);
    return sent > 0 ? (unsigned)sent : 0;
}

/* The address of its first record is that of the network's replica. */
static bool is_right(const unsigned char *answer, size_t len)
{
    unsigned network = (unsigned)answer[0] << 8 | answer[1];
    static const unsigned char address[] = {192, 0, 2};
    enum { ADDRESS_AT = QUESTION_END + 12 };

    return len >= ADDRESS_AT + 4 && answer[7] == 1 &&
           memcmp(answer + ADDRESS_AT, address, sizeof(address)) == 0 &&
           answer[ADDRESS_AT + 3] == network * 7 % 16 + 1;
}

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned long answered = 0, wrong = 0;
    unsigned under_way = 0, next = 0;

    if (argc > 3) {
        networks = (unsigned)atoi(argv[3]);
    }
    if (argc < 3 || argc > 4 || networks < 1 || networks > NETWORKS_MAX) {
        fprintf(stderr, "usage: ecsload PORT SECONDS [NETWORKS]\n");
        return 2;
    }
    int fd = open_socket(argv[1]);
    prepare();
    for (double end = now() + atof(argv[2]); now() < end;) {
        while (under_way < WINDOW) {
            unsigned room = WINDOW - under_way;
            unsigned sent = send_some(fd, room < BATCH ? room : BATCH, next);
            next += sent;
            under_way += sent;
            if (sent == 0) {
                break;
            }
        }
        int got = recvmmsg(fd, receives, BATCH, MSG_WAITFORONE, NULL);
        if (got < 0) {
            under_way = 0; /* lost */
        }
        for (int i = 0; i < got; i++) {
            answered++;
            wrong += !is_right(in[i], receives[i].msg_len);
            under_way -= under_way > 0;
        }
    }
    printf("%lu answered, %lu wrong\n", answered, wrong);
    return 0;
}
