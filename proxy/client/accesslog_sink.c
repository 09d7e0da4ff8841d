#include "proxy/client/accesslog_sink.h"

#include "base/mem.h"
#include "http/put.h"
#include "proxy/client/accesslog_columns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- opening ---- */

/* Opening a pipe without a reader fails instead of waiting; writes may wait. */
static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);

    if (fd < 0) {
        return -errno;
    }
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static int open_place(const struct sink *sink)
{
    switch (sink->kind) {
    case SINK_STDOUT:
        return STDOUT_FILENO;
    case SINK_FILE:
        return open_file(sink->path);
    case SINK_SYSLOG:
    case SINK_JOURNALD:
        return open_socket(sink->path);
    }
    UNREACHABLE();
}

/* "syslog" or "syslog:/PATH". */
static bool is_system_log(const char *to, const char *word, const char *usual, char **path)
{
    size_t len = strlen(word);

    if (strncmp(to, word, len) != 0 || (to[len] != '\0' && to[len] != ':')) {
        return false;
    }
    *path = xspandup(span_str(to[len] && to[len + 1] ? to + len + 1 : usual));
    return true;
}

static struct sink sink_of(const char *to)
{
    struct sink sink = {.kind = SINK_STDOUT, .fd = -1};

    if (is_system_log(to, "syslog", "/dev/log", &sink.path)) {
        sink.kind = SINK_SYSLOG;
    } else if (is_system_log(to, "journald", "/run/systemd/journal/socket", &sink.path)) {
        sink.kind = SINK_JOURNALD;
    } else if (strcmp(to, "-") != 0) {
        sink.kind = SINK_FILE;
        sink.path = xspandup(span_str(to));
    }
    return sink;
}

static bool is_datagrams(const struct sink *sink)
{
    return sink->kind == SINK_SYSLOG || sink->kind == SINK_JOURNALD;
}

const char *sink_file(const char *to)
{
    struct sink sink = sink_of(to);

    free(sink.path);
    return sink.kind == SINK_FILE ? to : NULL;
}

char *sink_socket(const char *to)
{
    struct sink sink = sink_of(to);

    if (!is_datagrams(&sink)) {
        free(sink.path);
        return NULL;
    }
    return sink.path;
}

int sink_open(struct sink *sink, const char *to)
{
    *sink = sink_of(to);
    int fd = open_place(sink);
    bool may_come = is_datagrams(sink) && fd != -ENAMETOOLONG;

    if (fd < 0 && !may_come) {
        free(sink->path);
        return fd;
    }
    sink->fd = fd < 0 ? -1 : fd;
    return 0;
}

static void close_fd(struct sink *sink)
{
    if (sink->kind != SINK_STDOUT && sink->fd >= 0) {
        close(sink->fd);
    }
}

void sink_close(struct sink *sink)
{
    close_fd(sink);
    free(sink->path);
}

int sink_open_anew(const struct sink *sink)
{
    return open_place(sink);
}

void sink_replace(struct sink *sink, int fd)
{
    close_fd(sink);
    sink->fd = fd;
    sink->torn = false;
}

static int reopen(struct sink *sink)
{
    int fd = open_place(sink);

    if (fd >= 0) {
        sink_replace(sink, fd);
    }
    return fd < 0 ? fd : 0;
}

/* ---- bytes ---- */

/* Standard output may be a pipe that another process has made non-blocking. */
static bool may_retry(const struct sink *sink)
{
    struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};

    if (errno == EAGAIN) {
        poll(&ready, 1, -1);
        return true;
    }
    return errno == EINTR;
}

/* 0 or a negative errno. */
static int write_all(struct sink *sink, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(sink->fd, bytes.at, bytes.len);
        if (n < 0 && !may_retry(sink)) {
            return -errno;
        }
        if (n == 0) {
            return -EIO;
        }
        if (n > 0) {
            sink->torn = bytes.at[n - 1] != '\n';
            bytes = span_skip(bytes, (size_t)n);
        }
    }
    return 0;
}

/* ---- datagrams ---- */

/* Facility daemon, severity info (RFC 3164 4.1.1). */
enum { PRIORITY = 3 * 8 + 6 };

static char *put_process(char *at)
{
    return put_number(at, (uint64_t)getpid());
}

/* As syslog(3) writes to a socket of this machine: without host, and without time, which the reader
 * adds. rsyslog and journald expect RFC 5424 here from a program named "1". */
static char *put_syslog(char *at, struct span line)
{
    *at++ = '<';
    at = put_number(at, PRIORITY);
    at = put_span(at, SPAN(">larder-proxy["));
    at = put_process(at);
    at = put_span(at, SPAN("]: "));
    return put_span(at, line);
}

/* One VARIABLE=value on each line; log lines contain no newlines. */
static char *put_journald(char *at, struct span line)
{
    at = put_span(at, SPAN("PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=larder-proxy\n"
                           "SYSLOG_PID="));
    at = put_process(at);
    at = put_span(at, SPAN("\nLARDER_LOG=access\nMESSAGE="));
    at = put_span(at, line);
    *at++ = '\n';
    return at;
}

size_t sink_datagram(enum sink_kind kind, struct span line, char *out)
{
    char *end = kind == SINK_SYSLOG ? put_syslog(out, line) : put_journald(out, line);
    return (size_t)(end - out);
}

/* Connects again if the other side was restarted and has a new socket. */
static int send_one(struct sink *sink, struct span datagram)
{
    for (int tries = 0;; tries++) {
        ssize_t n = send(sink->fd, datagram.at, datagram.len, MSG_NOSIGNAL);
        if (n >= 0) {
            return 0;
        }
        int err = -errno;
        bool gone =
            err == -ECONNREFUSED || err == -ENOTCONN || err == -ECONNRESET || err == -EDESTADDRREQ;
        if (err == -EINTR) {
            continue;
        }
        if (tries > 0 || !gone || reopen(sink) != 0) {
            return err;
        }
    }
}

static uint64_t send_lines(struct sink *sink, struct span lines, uint64_t count, int *err)
{
    static _Thread_local char datagram[ACCESSLOG_LINE_MAX + SINK_HEAD_MAX];
    uint64_t lost = 0;

    *err = sink->fd < 0 ? reopen(sink) : 0;
    if (*err) {
        return count;
    }
    while (lines.len) {
        struct span line = span_cut(&lines, '\n');
        size_t len = sink_datagram(sink->kind, line, datagram);
        int failure = send_one(sink, span_of(datagram, len));
        lost += failure != 0;
        *err = failure ? failure : *err;
    }
    return lost;
}

uint64_t sink_write(struct sink *sink, struct span lines, uint64_t count, int *err)
{
    if (is_datagrams(sink)) {
        return send_lines(sink, lines, count, err);
    }
    *err = sink->torn ? write_all(sink, SPAN("\n")) : 0;
    *err = *err ? *err : write_all(sink, lines);
    return *err ? count : 0;
}
