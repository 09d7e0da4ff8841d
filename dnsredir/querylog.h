/*
 * querylog - some or all queries as lines of JSON, one object each:
 *
 *   {"time":"2026-11-28T21:00:00.123Z","client":"192.0.2.7","proto":"udp","name":"www.example.",
 *    "type":"A","class":1,"rcode":"NOERROR","bytes":61,"subnet":"10.1.2.0/24","scope":16,
 *    "cookie":"good","limited":"no","truncated":false,"steered":true,"all_down":false}
 *
 * Each worker has a ring of entries, which one writing thread empties ten times a second; only that
 * thread touches the file. If a ring is full the entry is lost, and the worker counts it: no loop
 * waits for a disk, takes a lock or allocates.
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
    uint16_t bytes;          /* of the answer; 0: there was none */
    struct answer_note note; /* its policy pointer may be stale: it only tells that there was one */
    struct ecs ecs;
    struct name name; /* the root, with type 0: there was no question */
};

/* Writes the line with its newline. Returns its length. Pure. */
#define QUERY_LINE_MAX (2 * NAME_TEXT_MAX + 512)
size_t query_entry_format(const struct query_entry *entry, char out[QUERY_LINE_MAX]);

struct querylog;

/* Opens `path` for appending ("-": standard error), makes `rings` rings, and starts the thread.
 * With a NULL path there is no log, and *out becomes NULL. Returns 0 or a negative errno. */
int querylog_open(const char *path, size_t rings, struct querylog **out);
/* Makes the thread open the file anew, because it was moved away. For any thread; accepts NULL. */
void querylog_reopen(struct querylog *log);
/* Writes what waits, and ends the thread. No entries may be put any more. Accepts NULL; sets *log
 * to NULL. */
void querylog_close(struct querylog **log);

/* Logs that `packet` of `client` was answered with `bytes` bytes; packets that are no queries are
 * left out. Returns false if the ring was full. For the one thread that has this ring. */
bool querylog_put(struct querylog *log, size_t ring, const struct client *client,
                  const struct answer_note *note, struct span packet, size_t bytes);

#endif
