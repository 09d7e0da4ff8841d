/*
 * accesslog - one line per exchange, in each access log there is: in Squid's native format with one
 * column more, in the combined format with two, as JSON with all of the decision, or as the
 * administrator wants it (accesslog_template.c). The native one:
 *
 *   1763797201.123    140 192.0.2.7 TCP_MISS/200 99 GET http://a/ - HIER_DIRECT/::1 - private
 *
 * The last column is the reason of the decision, then after a colon the number of the access rule
 * that denied the request, then after a comma why the response is not stored,
 * then "@cold:" and how many microseconds it waited for the disk, if it did, then after "#" the
 * incident id of a page made by ourselves. Credentials are never logged, values
 * of query parameters that look like secrets are replaced, and no byte of a peer can end a line or
 * a column.
 *
 * Each worker formats into blocks of its own; full or ripe ones go to one writing thread per log,
 * which alone touches the file or socket. When it falls behind, whole blocks are dropped and
 * counted: a loop never waits. Which logs there are goes with the settings (accesslog_set.h).
 */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_H

#include "base/prefix.h"
#include "cache/decision.h"
#include "http/uri.h"
#include "proxy/directives.h"

/* What a line is made from; borrowed during the call. */
struct accesslog_entry {
    int64_t when_ms; /* the end of the exchange, since 1970 */
    uint64_t elapsed_us;
    const struct ip *client;
    const struct decision *decision;
    int status; /* sent to the client; 0: none */
    uint64_t bytes;
    const struct http_head *request;
    const struct uri *uri; /* an empty host: the request was not understood */
    const struct ip *peer; /* whom the origin was asked of for it, or NULL */
    struct span user;      /* authenticated as, or empty */
    struct span incident;
    struct span mirror; /* its path; empty: none */
    struct span content_type;
};

/* Writes the line with its newline to `out` (ACCESSLOG_LINE_MAX bytes); returns its length. Pure.
 */
#define ACCESSLOG_LINE_MAX 32768
size_t accesslog_format(char *out, const struct log_style *style,
                        const struct accesslog_entry *entry);

/* ---- where lines go: thread-safe, counted ---- */

struct accesslog;

/* Opens it (`to` as in struct access_log) and starts its thread; the caller has the one reference.
 * 0 or a negative errno. */
int accesslog_open(const char *to, struct accesslog **out);
struct accesslog *accesslog_ref(struct accesslog *log);
/* With the last one the thread writes what is queued, and ends; never blocks. Accepts NULL; sets
 * *log to NULL. */
void accesslog_unref(struct accesslog **log);
/* The file was moved away: opens it anew, and what is handed over from now on goes there. Waits for
 * the disk, not for the thread. 0 or a negative errno: the old one stays. */
int accesslog_reopen(struct accesslog *log);
const char *accesslog_to(const struct accesslog *log);
/* Until the threads of all logs without a reference have ended, at most so long. False: some are
 * stuck, and will be until the process has ended. */
bool accesslog_wait(unsigned seconds);
/* Lines lost, of all logs of the process, because one was slower than the traffic or failed. */
uint64_t accesslog_dropped(void);

/* A log, and how its lines are written. */
struct accesslog_out {
    struct accesslog *log;
    struct log_style style; /* its pieces are borrowed */
};

/* ---- one worker's end: belongs to its loop ---- */

struct accesslog_writer;

/* NULL without any. What the styles have must outlive it. */
struct accesslog_writer *accesslog_writer_new(const struct accesslog_out *outs, size_t count);
/* Hands over what is pending. Sets *writer to NULL. */
void accesslog_writer_free(struct accesslog_writer **writer);
void accesslog_write(struct accesslog_writer *writer, const struct accesslog_entry *entry);
/* To be called about once a second, so that lines do not get old. */
void accesslog_flush(struct accesslog_writer *writer);

#endif
