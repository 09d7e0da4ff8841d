/*
 * accesslog - writes one line per exchange to each access log, in Squid's native format with one
 * more column, in the combined format with two more, as JSON with the whole decision, or by a
 * template (accesslog_template.c). The native format:
 *
 *   1763797201.123    140 192.0.2.7 TCP_MISS/200 99 GET http://a/ - HIER_DIRECT/::1 - private
 *
 * The last column is REASON[:RULE][,STORE-REASON][@cold:US][#INCIDENT]: the reason of the decision,
 * the number of the access rule that denied the request, why the response is not stored, how many
 * microseconds the request waited for the disk, and the incident id of an error page of ours.
 * Credentials are never logged, values of query parameters that look like secrets are replaced, and
 * no byte of a peer can end a line or a column.
 *
 * Each worker formats lines into blocks of its own. Full or old blocks go to the log's writer
 * thread, which alone writes to the file or socket. When that falls behind, whole blocks are
 * dropped and counted; a loop never waits. Which logs exist depends on the settings
 * (accesslog_set.h).
 */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_H

#include "base/prefix.h"
#include "cache/decision.h"
#include "http/uri.h"
#include "proxy/config/directives.h"

/* What a line is made from. Borrowed during the call. */
struct accesslog_entry {
    int64_t when_ms; /* when the exchange ended, ms since 1970 */
    uint64_t elapsed_us;
    const struct ip *client;
    const struct decision *decision;
    int status; /* sent to the client; 0: no response was sent */
    uint64_t bytes;
    const struct http_head *request;
    const struct uri *uri; /* without a host: the request could not be parsed */
    const struct ip *peer; /* address of the origin that was asked, or NULL */
    struct span user;      /* who has authenticated, or empty */
    struct span incident;
    struct span mirror; /* path of the mirror; empty: none */
    struct span content_type;
};

/* Writes the line, with its newline, to `out`, which has ACCESSLOG_LINE_MAX bytes. Returns its
 * length. Pure. */
#define ACCESSLOG_LINE_MAX 32768
size_t accesslog_format(char *out, const struct log_style *style,
                        const struct accesslog_entry *entry);

/* ---- a log: thread-safe, counted ---- */

struct accesslog;

/* Opens a log (`to` as in struct access_log) and starts its thread. The caller gets the first
 * reference. Returns 0 or a negative errno. */
int accesslog_open(const char *to, struct accesslog **out);
struct accesslog *accesslog_ref(struct accesslog *log);
/* With the last reference the thread writes what is queued, and ends. Never blocks. Accepts NULL;
 * sets *log to NULL. */
void accesslog_unref(struct accesslog **log);
/* Opens the file again after it was moved away. What is handed over from now on goes to the new
 * file. May wait for the disk. Returns 0, or a negative errno and keeps the old file. */
int accesslog_reopen(struct accesslog *log);
const char *accesslog_to(const struct accesslog *log);
/* Waits at most so many seconds until the threads of all logs without references have ended. False:
 * some are stuck. */
bool accesslog_wait(unsigned seconds);
/* Lines lost by all logs of the process, because a log was too slow or failed. */
uint64_t accesslog_dropped(void);

/* A log, and how its lines are written. */
struct accesslog_out {
    struct accesslog *log;
    struct log_style style; /* its pieces are borrowed */
};

/* ---- one worker's writer: belongs to its loop ---- */

struct accesslog_writer;

/* Makes a writer to these logs; NULL when `count` is 0. The pieces of their styles must outlive
 * it. */
struct accesslog_writer *accesslog_writer_new(const struct accesslog_out *outs, size_t count);
/* Hands over pending lines and frees the writer. Sets *writer to NULL. */
void accesslog_writer_free(struct accesslog_writer **writer);
void accesslog_write(struct accesslog_writer *writer, const struct accesslog_entry *entry);
/* Hands over pending lines. To be called about once a second. */
void accesslog_flush(struct accesslog_writer *writer);

#endif
