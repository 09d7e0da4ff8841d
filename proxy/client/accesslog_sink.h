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
    int fd;
    bool torn; /* the last write left half a line */
};

/* `to` as in struct access_log (proxy/directives.h). 0 or a negative errno; then there is nothing
 * to close. Does not wait for a reader of a pipe. */
int sink_open(struct sink *sink, const char *to);
void sink_close(struct sink *sink);
/* Opens the same place anew; when that fails the old one stays. 0 or a negative errno. */
int sink_reopen(struct sink *sink);
/* Writes `count` whole lines. Returns how many are lost; *err says why. */
uint64_t sink_write(struct sink *sink, struct span lines, uint64_t count, int *err);

/* A line (without its end) as a datagram for syslog (as syslog(3) writes it, RFC 3164) or journald
 * (its native protocol), into `out`, which has SINK_HEAD_MAX bytes more than the line. Returns its
 * length. Pure. */
#define SINK_HEAD_MAX 512
size_t sink_datagram(enum sink_kind kind, struct span line, char *out);

#endif
