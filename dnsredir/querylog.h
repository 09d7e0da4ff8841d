/*
 * querylog - some or all queries as lines of JSON, one object each:
 *
 *   {"time":"2026-11-28T21:00:00.123Z","client":"192.0.2.7","proto":"udp","name":"www.example.",
 *    "type":"A","class":1,"rcode":"NOERROR","bytes":61,"subnet":"10.1.2.0/24","scope":16,
 *    "cookie":"good","limited":"no","truncated":false,"steered":true,"all_down":false}
 *
 * Each worker has a ring of entries, which a writing thread empties ten times a second and which
 * alone touches the file. A full ring loses the entry, and the worker counts it: no loop waits for
 * a disk, takes a lock or allocates.
 */
#ifndef LARDER_DNSREDIR_QUERYLOG_H
#define LARDER_DNSREDIR_QUERYLOG_H

#include "dnsredir/answer/answer.h"

/* One query and what became of it. */
struct query_entry {
    int64_t when_ms; /* since 1970 */
    struct ip client;
    bool tcp;
    bool update; /* the name is that of a zone */
    uint16_t type, class;
    uint16_t bytes;          /* of the answer; 0: none was given */
    struct answer_note note; /* its policy may be gone: it only says that there was one */
    struct ecs ecs;
    struct name name; /* of no label and type 0: there was no question */
};

/* The line with its newline; returns its length. Pure. */
#define QUERY_LINE_MAX (2 * NAME_TEXT_MAX + 512)
size_t query_entry_format(const struct query_entry *entry, char out[QUERY_LINE_MAX]);

struct querylog;

/* Opens `path` for appending ("-": standard error) with `rings` rings, and starts the thread. NULL
 * is no log at all: *out becomes NULL. 0 or a negative errno. */
int querylog_open(const char *path, size_t rings, struct querylog **out);
/* The file was moved away: the thread opens it anew. Any thread; accepts NULL. */
void querylog_reopen(struct querylog *log);
/* Writes what waits and ends the thread; nobody writes any more. Accepts NULL; sets *log to NULL.
 */
void querylog_close(struct querylog **log);

/* By the one thread that has ring `ring`: what `asker` sent as `packet` was answered with `bytes`
 * bytes. False: the ring was full. Packets that are no query are not worth a line. */
bool querylog_put(struct querylog *log, size_t ring, const struct asker *asker,
                  const struct answer_note *note, struct span packet, size_t bytes);

#endif
