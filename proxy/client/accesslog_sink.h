/*
 * accesslog_sink - where the lines of one access log go: a file, standard output, or the system's
 * log, one datagram per line. Calls may block; they are for the log's own thread.
 */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_SINK_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_SINK_H

#include "base/span.h"

#include <stdint.h>

enum sink_kind { SINK_FILE, SINK_STDOUT, SINK_SYSLOG, SINK_JOURNALD };

struct sink {
    enum sink_kind kind;
    char *path; /* NULL: standard output */
    int fd;     /* -1: the system log's socket does not exist; the next write tries again */
    bool torn;  /* the last write ended in the middle of a line */
};

/* Opens a place (`to` as in struct access_log, proxy/config/directives.h). Returns 0 or a negative
 * errno; then there is nothing to close. Does not wait for the reader of a pipe. Succeeds when the
 * system's log is not running: that may start later. */
int sink_open(struct sink *sink, const char *to);
void sink_close(struct sink *sink);
/* Opens the same place again, for sink_replace(). Returns a descriptor (for standard output the one
 * in use) or a negative errno. Thread-safe: reads only what never changes. */
int sink_open_anew(const struct sink *sink);
/* Closes the descriptor in use and takes over this one. */
void sink_replace(struct sink *sink, int fd);
/* The file of a log, for --check; NULL: it is not a file. */
const char *sink_file(const char *to);
/* The socket path of a system log, on the heap; NULL: it is something else. */
char *sink_socket(const char *to);
/* Writes `count` whole lines. Returns how many were lost, with the error in *err. */
uint64_t sink_write(struct sink *sink, struct span lines, uint64_t count, int *err);

/* Makes a datagram of one line (without its newline): for syslog as syslog(3) writes it (RFC 3164),
 * for journald in its native protocol. `out` has SINK_HEAD_MAX bytes more than the line. Returns
 * the length. Pure. */
#define SINK_HEAD_MAX 512
size_t sink_datagram(enum sink_kind kind, struct span line, char *out);

#endif
