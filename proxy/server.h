/*
 * server - all workers of one process: start, reload, drain, end.
 *
 * The thread that calls server_run() is the main thread: it serves the admin listener and handles
 * signals. Each worker has a thread of its own.
 */
#ifndef LARDER_PROXY_SERVER_H
#define LARDER_PROXY_SERVER_H

#include "proxy/worker.h"

struct server;
struct accounts;
struct auth;
struct roundtrips;
struct dnsstatus;
struct history;

/* Loads the settings and the files that they name, such as certificates. `before` is NULL, or the
 * settings in force, which the new ones are to replace (see settings_load_beside()). Returns 0, or
 * ERR_CONFIG with one line in `errors` for each error. What works now but may fail later is only
 * logged. */
int server_load(int argc, char **argv, const struct settings *before, struct buf *errors,
                struct settings **out);
/* Opens the store and binds all listeners. Takes over *settings and sets it to NULL, also on
 * failure. `argv` must stay valid: reloads read it again. Returns 0 or a negative error. */
int server_new(struct settings **settings, int argc, char **argv, struct server **out);
/* Serves until SIGTERM or SIGINT, then drains. Returns 0, or the error that kept it from
 * serving. */
int server_run(struct server *server);
/* Accepts NULL; sets *server to NULL. */
void server_free(struct server **server);

/* ---- for the admin listener; main thread only ---- */

struct cache *server_cache(struct server *server);
struct settings *server_settings(struct server *server); /* borrowed */
struct loop *server_loop(struct server *server);
size_t server_worker_count(const struct server *server);
struct worker *server_worker(struct server *server, size_t number);
int64_t server_started(const struct server *server); /* seconds since 1970 */
struct auth *server_auth(struct server *server);
/* Makes all access logs open their files again, after a log rotation. Each one that fails is logged
 * and gets a line in `errors`. Returns how many succeeded. */
size_t server_reopen_logs(struct server *server, struct buf *errors);
struct accounts *server_accounts(struct server *server); /* NULL: nobody has had limits so far */
/* Addresses of this machine and our listeners, which no client may be connected to. */
const struct own_addrs *server_own_addrs(struct server *server);
/* Round-trip times of clients, up to date: first takes over what the workers have measured. */
struct roundtrips *server_roundtrips(struct server *server);
struct dnsstatus *server_dnsstatus(struct server *server);
struct history *server_history(struct server *server);
bool server_is_draining(const struct server *server);
/* How many reloads have succeeded since the start, and how many had errors. Thread-safe. */
uint64_t server_reloads(const struct server *server);
uint64_t server_refused_reloads(const struct server *server);
/* The first error of the last reload, if it was refused: the files have errors, and the settings in
 * force are older. NULL: it was not. On the main thread, until the next reload. */
const char *server_refusal(const struct server *server);
/* Do all workers use the settings of server_settings() by now? */
bool server_reload_is_taken(struct server *server);
/* Writes the command line of this process in the form of conf_write_command(). */
void server_write_command(const struct server *server, struct buf *out);
/* Loads the settings that the next reload would use, from the same command line. Changes nothing.
 * Errors as for server_load(). */
int server_load_next(struct server *server, struct buf *errors, struct settings **out);
/* Loads the configuration again and gives it to all workers. On errors the old settings stay in
 * force, and the errors are logged and appended to `errors`. */
int server_reload(struct server *server, struct buf *errors);

#endif
