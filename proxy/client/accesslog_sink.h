/*
 * accesslog_sink - where the lines of one access log go: a file, standard output, or a datagram a
 * line to the system's log. Belongs to the log's thread, and may block: only that thread waits.
 */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_SINK_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_SINK_H

#include "base/span.h"

#include <stdint.h>

enum sink_kind { SINK_FILE, SINK_STDOUT, SINK_SYSLOG, SINK_JOURNALD };

struct sink {
    enum sink_kind kind;
    char *path; /* NULL: standard output */
    int fd; /* -1: the socket of the system's log is not there, and tried again with each write */
    bool torn; /* the last write left half a line */
};

/* `to` as in struct access_log (proxy/directives.h). 0 or a negative errno; then there is nothing
 * to close. Does not wait for a reader of a pipe. Whether the system's log is there does not
 * matter: it may be started after us. */
int sink_open(struct sink *sink, const char *to);
void sink_close(struct sink *sink);
/* Opens the same place anew, for sink_replace(). A descriptor (that of standard output stays) or a
 * negative errno. Any thread: what it looks at never changes. */
int sink_open_anew(const struct sink *sink);
/* Takes over the descriptor in place of the one that it has. */
void sink_replace(struct sink *sink, int fd);
/* The file of a log, which --check can look at; NULL: it is none. */
const char *sink_file(const char *to);
/* The socket of the system's log, on the heap; NULL: it is another place. */
char *sink_socket(const char *to);
/* Writes `count` whole lines. Returns how many are lost; *err says why. */
uint64_t sink_write(struct sink *sink, struct span lines, uint64_t count, int *err);

/* A line (without its end) as a datagram for syslog (as syslog(3) writes it, RFC 3164) or journald
 * (its native protocol), into `out`, which has SINK_HEAD_MAX bytes more than the line. Returns its
 * length. Pure. */
#define SINK_HEAD_MAX 512
size_t sink_datagram(enum sink_kind kind, struct span line, char *out);

#endif
