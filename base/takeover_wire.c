#include "base/takeover_wire.h"

#include "base/err.h"
#include "base/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct hello {
    uint32_t magic;
    char program[TAKEOVER_PROGRAM];
};

struct opening {
    uint32_t magic;
    struct takeover_gift gift;
};

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(TAKEOVER_BATCH * sizeof(int))];
};

bool takeover_is_same_user(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

pid_t takeover_peer(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.pid : 0;
}

/* ---- sending ---- */

static int send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* SCM_RIGHTS needs at least one byte of data with the descriptors. */
static int send_batch(int fd, const int *sockets, size_t count)
{
    union control control = {.bytes = {0}};
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(count * sizeof(int)),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), sockets, count * sizeof(int));
    return sendmsg(fd, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int takeover_send_hello(int fd, const char *program)
{
    struct hello hello = {.magic = TAKEOVER_MAGIC};

    snprintf(hello.program, sizeof(hello.program), "%s", program);
    return send_all(fd, &hello, sizeof(hello));
}

int takeover_send(int fd, struct takeover_gift *gift, const int *sockets)
{
    static const int streams[TAKEOVER_STREAMS] = {STDOUT_FILENO, STDERR_FILENO};
    struct opening opening;

    gift->gives_streams = fcntl(STDOUT_FILENO, F_GETFD) >= 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0;
    memset(&opening, 0, sizeof(opening));
    opening.magic = TAKEOVER_MAGIC;
    opening.gift = *gift;
    int err = send_all(fd, &opening, sizeof(opening));
    err = err || !gift->gives_streams ? err : send_batch(fd, streams, TAKEOVER_STREAMS);
    for (size_t i = 0; i < gift->sockets && !err; i += TAKEOVER_BATCH) {
        size_t left = gift->sockets - i;
        err = send_batch(fd, sockets + i, left < TAKEOVER_BATCH ? left : TAKEOVER_BATCH);
    }
    return err;
}

/* ---- receiving ---- */

static int receive_all(int fd, void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);
        if (n == 0) {
            return ERR_CLOSED;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* The hello is small and sent by one call, so it arrives whole. */
int takeover_receive_hello(int fd, const char *program)
{
    struct hello hello;
    ssize_t n = recv(fd, &hello, sizeof(hello), MSG_DONTWAIT);

    if (n <= 0) {
        return n == 0 ? ERR_CLOSED : errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    if (n != sizeof(hello) || hello.magic != TAKEOVER_MAGIC) {
        return ERR_UNSUPPORTED;
    }
    hello.program[TAKEOVER_PROGRAM - 1] = '\0';
    return strcmp(hello.program, program) == 0 ? 1 : ERR_REFUSED;
}

/* If `streams` is not NULL, the first descriptors are those. */
static size_t take_sockets(struct msghdr *message, int *streams)
{
    size_t count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++, count++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (streams && count < TAKEOVER_STREAMS) {
                streams[count] = fd;
            } else {
                inherited_add(fd);
            }
        }
    }
    return count;
}

static int receive_batch(int fd, int *streams, size_t *count)
{
    union control control;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control),
    };
    ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

    if (n <= 0) {
        return n == 0 ? ERR_CLOSED : -errno;
    }
    *count += take_sockets(&message, streams);
    return message.msg_flags & MSG_CTRUNC ? -EMFILE : 0;
}

int takeover_receive(int fd, struct takeover_gift *gift, int *streams)
{
    struct opening opening;
    size_t count = 0;
    int err = receive_all(fd, &opening, sizeof(opening));

    if (!err && opening.magic != TAKEOVER_MAGIC) {
        err = ERR_UNSUPPORTED;
    }
    if (err) {
        return err;
    }
    *gift = opening.gift;
    gift->program[TAKEOVER_PROGRAM - 1] = '\0';
    if (gift->gives_streams) {
        err = receive_batch(fd, streams, &count);
        count = 0;
    }
    while (!err && count < gift->sockets) {
        size_t before = count;
        err = receive_batch(fd, NULL, &count);
        err = err ? err : count == before ? ERR_SYNTAX : 0;
    }
    return err;
}
