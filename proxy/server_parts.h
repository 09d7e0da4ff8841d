/*
 * server_parts - the inside of a server, shared by the files that it is made of.
 *
 * server.c           the main thread: start, signals, end
 * server_reload.c    its settings
 * server_takeover.c  handing over to a newer process, and taking over from an older one
 * worker_thread.c    the thread of a worker, and its listeners
 *
 * Threads share only letters, the settings that a worker is to take over, and counts of workers.
 */
#ifndef LARDER_PROXY_SERVER_PARTS_H
#define LARDER_PROXY_SERVER_PARTS_H

#include "proxy/server.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LISTENERS_MAX = 64, SWEEP_MS = 1000, TICK_AFTER_MS = 50 };

/* A worker, with what only the server needs to know about it. */
struct worker_thread {
    struct worker worker;
    pthread_t id;
    bool running;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct letter reload, drain, stop, pulse;
    atomic_bool alive;               /* it has answered the last pulse; see server.watchdog */
    _Atomic(struct settings *) next; /* settings that the reload letter tells it to take over */
    struct timeout sweep;            /* once a second: flushes the access log, ends the drain */
    uint64_t drain_until;
    bool quiet; /* drained: no clients are left but tunnels */
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
    struct worker_thread *workers;
    size_t worker_count;
    atomic_size_t stopped; /* how many workers have ended */
    struct letter all_stopped, reload;
    struct own_addrs own_addrs; /* with the workers' listeners and that of admin */
    struct timeout trim;        /* once a second: gives back memory that is no longer needed */
    struct dnsstatus *dnsstatus;
    struct history *history;
    struct timeout tick; /* once a second: adds a point to the history */
    uv_signal_t signals[5];
    size_t signal_count;
    int64_t started;
    bool draining;
    bool succeeded;            /* a newer process has taken over; set before draining */
    struct takeover *takeover; /* NULL: no newer process can take over */
    atomic_size_t quiet;       /* how many workers have no clients left but tunnels */
    struct letter all_quiet;
    struct sip_key late_secret;
    struct timeout late; /* retries until the older process has released the store */
    unsigned late_tries;
    bool watchdog; /* the service manager expects a sign of life from all loops */
    atomic_uint_fast64_t reloads, refused_reloads;
    char *refusal; /* the first error of the last reload; NULL: it had none */
};

/* ---- server_reload.c; on the main thread ---- */

/* Logs the errors from byte `from` on, one record for each line. */
void server_log_errors(const char *event, const struct buf *errors, size_t from);
/* Opens the accounts (of quotas) once the settings have limits. After a takeover they open when the
 * older process, which still has them, has ended. Returns 0 or a negative error. */
int server_open_accounts(struct server *server, const struct settings *settings);
/* Tells the accounts what the settings in force say about shared bandwidth. */
void server_tell_accounts(struct server *server);

/* ---- server_takeover.c; on the main thread ---- */

/* Listens on the takeover socket that the settings name, if any, so that a newer process can take
 * over. Returns 0, or a negative error, which is logged. */
int server_offer(struct server *server);
/* The secret of the store that an older process still holds; NULL: there is no such process. */
const struct sip_key *server_late_secret(struct server *server);
/* To be called when all workers run: tells the older process, if there is one, to end. */
void server_is_ready(struct server *server);
/* Closes the takeover socket. */
void server_withdraw(struct server *server);

/* ---- server.c; for server_takeover.c ---- */

/* Stops accepting clients and lets those in progress finish. */
void server_drain(struct server *server);

/* ---- worker_thread.c; on the main thread ---- */

/* Initialises a zeroed worker: makes its loop and opens its listeners. Returns 0, a libuv error, or
 * the error of the listener that could not be opened, which is logged. Call worker_thread_fini()
 * in any case. */
int worker_thread_init(struct worker_thread *thread, struct server *server, unsigned number);
/* Starts the worker's thread, which the letters `drain` and `stop` end. The last worker to end
 * posts `all_stopped`. Returns 0 or -errno. */
int worker_thread_start(struct worker_thread *thread);
/* Frees what a worker owns. Its thread must have ended, or never been started. */
void worker_thread_fini(struct worker_thread *thread);

#endif
