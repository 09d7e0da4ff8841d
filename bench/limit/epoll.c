/*
 * epoll - the least work a server on this kernel can do: a canned answer for each request on
 * persistent connections, one thread, level-triggered epoll, recv and send, and sendfile for what
 * is large. The row that tells how much of a measurement is the kernel's.
 *
 *     epoll PORT      GET /o/NUMBER/SIZE → SIZE bytes, up to 16 MiB
 *
 * Large bodies of different numbers are different pages of one file, of FILE_BYTES: a cache that is
 * asked for many objects sends each from memory, not from the processor's cache, and so must this.
 *
 * It knows "Connection: close", and several requests that come in one piece.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX (1u << 24)
#define FROM_FILE (64u << 10) /* bodies from here on */
#define FILE_BYTES (320u << 20)
#define PAGE 4096u
#define HEAD_ROOM 256
#define EVENTS 128

struct client {
    int fd;
    bool last;   /* it wants the connection closed after the answer */
    size_t more; /* answers that follow the one under way */
    size_t left; /* bytes of that which were not sent */
    off_t body;  /* where in the file its body begins */
};

static char
    answer[HEAD_ROOM + BODY_MAX]; /* the head is written so that it ends where the body begins */
static char *start;               /* of the answer for `size` */
static size_t size = SIZE_MAX;
static bool closing;
static int file = -1; /* FILE_BYTES of them, for sendfile; made when the first is wanted */

static void fatal(const char *what)
{
    perror(what);
    exit(1);
}

/* Written, not holes: as a cache's file is, and in pieces that the kernel keeps as large ones. */
static int make_file(void)
{
    FILE *made = tmpfile();

    if (!made) {
        fatal("tmpfile");
    }
    for (size_t i = 0; i < FILE_BYTES; i += BODY_MAX) {
        if (fwrite(answer + HEAD_ROOM, 1, BODY_MAX, made) != BODY_MAX) {
            fatal("tmpfile");
        }
    }
    if (fflush(made) != 0) {
        fatal("tmpfile");
    }
    return fileno(made);
}

static void prepare(size_t wanted, bool last)
{
    char head[HEAD_ROOM];
    size_t len;

    if (wanted == size && last == closing) {
        return;
    }
    size = wanted;
    closing = last;
    len = (size_t)snprintf(head, sizeof(head),
                           "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                           "Cache-Control: max-age=3600\r\nContent-Length: %zu\r\n%s\r\n",
                           size, last ? "Connection: close\r\n" : "");
    start = answer + HEAD_ROOM - len;
    memcpy(start, head, len);
}

static size_t size_asked(const char *request)
{
    const char *slash = strchr(request + strlen("GET /o/"), '/');
    size_t wanted = slash ? strtoul(slash + 1, NULL, 10) : 0;

    return wanted > BODY_MAX ? BODY_MAX : wanted;
}

/* Bodies of one size lie side by side, as many as the file has room for. */
static off_t place_asked(const char *request)
{
    size_t number = strtoul(request + strlen("GET /o/"), NULL, 10);
    size_t room = (size + PAGE - 1) / PAGE * PAGE + PAGE;

    return (off_t)(number % (FILE_BYTES / room) * room);
}

/* The answer ends at `end`. */
static ssize_t send_some(const struct client *client, const char *end)
{
    const char *from = end - client->left;

    if (size < FROM_FILE) {
        return send(client->fd, from, client->left, MSG_NOSIGNAL);
    }
    if (client->left > size) {
        return send(client->fd, from, client->left - size, MSG_NOSIGNAL | MSG_MORE);
    }
    off_t at = client->body + (off_t)(size - client->left);
    return sendfile(client->fd, file, &at, client->left);
}

/* Sends what is left; false when the connection is gone, or done with. */
static bool push(int epoll, struct client *client)
{
    char *end = answer + HEAD_ROOM + size;
    bool waited = client->left != (size_t)(end - start);

    for (;;) {
        ssize_t sent = send_some(client, end);
        if (sent < 0 && errno != EAGAIN) {
            return false;
        }
        client->left -= sent > 0 ? (size_t)sent : 0;
        if (client->left || client->more == 0) {
            break;
        }
        client->more--;
        client->left = (size_t)(end - start);
    }
    if (client->left || waited) {
        struct epoll_event event = {.events = client->left ? EPOLLOUT : EPOLLIN,
                                    .data.ptr = client};
        epoll_ctl(epoll, EPOLL_CTL_MOD, client->fd, &event);
    }
    return client->left || !client->last;
}

static size_t requests_in(const char *text)
{
    size_t count = 0;

    for (const char *end = strstr(text, "\r\n\r\n"); end; end = strstr(end + 4, "\r\n\r\n")) {
        count++;
    }
    return count;
}

static bool serve(int epoll, struct client *client)
{
    char request[4096];
    ssize_t got;

    if (client->left) {
        return push(epoll, client);
    }
    got = recv(client->fd, request, sizeof(request) - 1, 0);
    if (got <= 8) {
        return got < 0 && errno == EAGAIN;
    }
    request[got] = 0;
    size_t count = requests_in(request);
    client->more = count ? count - 1 : 0;
    client->last = strstr(request, "onnection: close") != NULL;
    prepare(size_asked(request), client->last);
    if (file < 0 && size >= FROM_FILE) {
        file = make_file();
    }
    client->body = place_asked(request);
    client->left = (size_t)(answer + HEAD_ROOM + size - start);
    return push(epoll, client);
}

static void take(int epoll, int listener)
{
    struct client *client = calloc(1, sizeof(*client));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    int on = 1;

    client->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (client->fd < 0) {
        free(client);
        return;
    }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4096)) {
        fatal("listen");
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.ptr = NULL}};
    int listener = listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 8080));
    int epoll = epoll_create1(0);

    signal(SIGPIPE, SIG_IGN); /* sendfile() has no MSG_NOSIGNAL */
    memset(answer, 'x', sizeof(answer));
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (!client) {
                take(epoll, listener);
            } else if (!serve(epoll, client)) {
                close(client->fd);
                free(client);
            }
        }
    }
}
