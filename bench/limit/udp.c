/*
 * udp - the least work a DNS server on this kernel can do: a canned answer for each query, one
 * thread, one socket, recvmmsg and sendmmsg of 32. The row that tells how much of a measurement is
 * the kernel's.
 *
 *     udp PORT      any query → its question, one A record, and its own OPT record
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 32
#define ROOM 1232
#define HEAD 12
#define BUFFER (4 << 20)

/* A, IN, 30 s, 192.0.2.13, of the name that stands at the head's end. */
static const unsigned char record[16] = {0xc0, HEAD, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 13};

static unsigned char in[BATCH][ROOM], out[BATCH][ROOM + sizeof(record)];

static void fatal(const char *what)
{
    perror(what);
    exit(1);
}

static int open_socket(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((unsigned short)atoi(port))};
    int size = BUFFER;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        fatal("socket");
    }
    return fd;
}

/* The length of the answer to `len` bytes; 0: it is no query. */
static size_t answer(const unsigned char *query, size_t len, unsigned char *to)
{
    size_t end = HEAD;

    while (end < len && query[end] != 0) {
        end += 1u + query[end];
    }
    end += 5;
    if (end > len) {
        return 0;
    }
    memcpy(to, query, end);
    to[2] |= 0x84; /* QR, AA */
    to[7] = 1;
    memcpy(to + end, record, sizeof(record));
    memcpy(to + end + sizeof(record), query + end, len - end);
    return len + sizeof(record);
}

int main(int argc, char **argv)
{
    struct mmsghdr queries[BATCH], answers[BATCH];
    struct iovec from[BATCH], to[BATCH];
    struct sockaddr_in peers[BATCH];

    if (argc != 2) {
        fprintf(stderr, "usage: udp PORT\n");
        return 2;
    }
    int fd = open_socket(argv[1]);
    memset(queries, 0, sizeof(queries));
    memset(answers, 0, sizeof(answers));
    for (unsigned i = 0; i < BATCH; i++) {
        from[i] = (struct iovec){in[i], ROOM};
        queries[i].msg_hdr =
            (struct msghdr){.msg_name = &peers[i], .msg_iov = &from[i], .msg_iovlen = 1};
    }
    for (;;) {
        for (unsigned i = 0; i < BATCH; i++) {
            queries[i].msg_hdr.msg_namelen = sizeof(peers[i]);
        }
        int got = recvmmsg(fd, queries, BATCH, MSG_WAITFORONE, NULL);
        unsigned due = 0;
        for (int i = 0; i < got; i++) {
            size_t len = answer(in[i], queries[i].msg_len, out[due]);
            if (len) {
                to[due] = (struct iovec){out[due], len};
                answers[due].msg_hdr =
                    (struct msghdr){.msg_name = &peers[i],
                                    .msg_namelen = queries[i].msg_hdr.msg_namelen,
                                    .msg_iov = &to[due],
                                    .msg_iovlen = 1};
                due++;
            }
        }
        for (unsigned sent = 0; sent < due;) {
            int n = sendmmsg(fd, answers + sent, due - sent, 0);
            sent += n > 0 ? (unsigned)n : 1;
        }
    }
}
