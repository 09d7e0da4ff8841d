/*
 * server_parts - the inside of a server, for the files it is made of: server.c (the main thread:
 * start, signals, end), server_reload.c (its settings), server_takeover.c (its end, when a newer
 * process takes its place, and its beginning in another's) and crew.c (a worker's thread and its
 * listeners). Between threads go only letters, settings that wait to be taken over, and the count
 * of workers that have ended.
 */
#ifndef LARDER_PROXY_SERVER_PARTS_H
#define LARDER_PROXY_SERVER_PARTS_H

#include "proxy/server.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LISTENERS_MAX = 64, SWEEP_MS = 1000, TICK_AFTER_MS = 50 };

/* A worker with what only the server needs to know of it. */
struct crew {
    struct worker worker;
    pthread_t thread;
    bool running;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct letter reload, drain, stop, pulse;
    atomic_bool alive;               /* it has answered the last pulse */
    _Atomic(struct settings *) next; /* to be taken over by the reload letter */
    struct timeout sweep;            /* once a second: access log; while draining: done yet? */
    uint64_t drain_until;
    bool quiet; /* drained, and no client left but in tunnels */
};

struct server {
    int argc;
    char **argv;
    struct settings *settings;
    struct cache *cache;
    struct auth *auth;
    struct accounts *accounts; /* NULL: nobody has had limits so far */
    struct loop *loop;
    struct admin *admin;
    struct roundtrips *roundtrips;
    struct crew *crews;
    size_t crew_count;
    atomic_size_t stopped; /* workers that have ended */
    struct letter all_stopped, reload;
    struct own own;      /* the workers' doors, for the main thread */
    struct timeout trim; /* once a second: memory that is not needed any more */
    struct dnsstatus *dnsstatus;
    struct history *history;
    struct timeout tick; /* once a second, soon after its beginning: for the history */
    uv_signal_t signals[5];
    size_t signal_count;
    int64_t started;
    bool draining;
    bool succeeded;            /* by a newer process; set before it drains */
    struct takeover *takeover; /* NULL: nobody may take our place */
    atomic_size_t quiet;       /* workers that have only tunnels, or nothing, to end */
    struct letter all_quiet;
    struct sip_key late_secret;
    struct timeout late; /* until the store can be had */
    unsigned late_tries;
    bool watchdog; /* the service manager wants to hear that all loops run */
    atomic_uint_fast64_t reloads, refused_reloads;
};

/* ---- server_reload.c; on the main thread ---- */

/* Errors from `from` on, a line of the log each: they are long. */
void server_log_errors(const char *event, const struct buf *errors, size_t from);
/* From the first limits on that anybody has; their folder is that of the start. An older process
 * may have it still: it comes when that has ended. 0 or an error. */
int server_open_accounts(struct server *server, const struct settings *settings);
/* What the settings in force say of shares. */
void server_tell_accounts(struct server *server);

/* ---- server_takeover.c; on the main thread ---- */

/* Whether the settings name a socket for it: then a newer process may take our place. 0 or an
 * error, which is logged. */
int server_offer(struct server *server);
/* Of the store that an older process still has; NULL: there is none such. */
const struct sip_key *server_late_secret(struct server *server);
/* All workers run: the older process learns it, if we take the place of one. */
void server_is_ready(struct server *server);
/* Nobody takes our place any more. */
void server_withdraw(struct server *server);

/* ---- server.c; for server_takeover.c ---- */

/* No new clients; those that are there may end. */
void server_drain(struct server *server);

/* ---- crew.c; on the main thread ---- */

/* Makes the loop of a zeroed worker and opens its listeners. Also after an error crew_fini() must
 * follow. 0, a code of libuv, or what kept a listener from being opened, which is logged. */
int crew_init(struct crew *crew, struct server *server, unsigned number);
/* Begins its thread, which ends by letters (`drain`, `stop`); the last one to end posts
 * all_stopped. 0 or -errno. */
int crew_start(struct crew *crew);
/* With its thread ended, or never begun. */
void crew_fini(struct crew *crew);

#endif
