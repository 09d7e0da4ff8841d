/*
 * server - all workers of one process: start, reload, drain, end. The thread that calls
 * server_run() serves the admin listener and the signals; each worker has a thread of its own.
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

/* Settings, and what the files hold that they name (certificates). `before`: those in force, beside
 * which they are loaded (settings_load_beside()), or NULL. 0, or ERR_CONFIG with `errors`, a line
 * each. What is good today only is logged. */
int server_load(int argc, char **argv, const struct settings *before, struct buf *errors,
                struct settings **out);
/* Opens the store, binds every listener. Takes the settings over and sets *settings to NULL, also
 * when it fails: their logs end with the last reference. argv is kept for reloads. */
int server_new(struct settings **settings, int argc, char **argv, struct server **out);
/* Serves until SIGTERM or SIGINT, then drains. 0, or the error that kept it from running. */
int server_run(struct server *server);
/* Accepts NULL. */
void server_free(struct server **server);

/* ---- for the admin listener; on the main thread ---- */

struct cache *server_cache(struct server *server);
struct settings *server_settings(struct server *server); /* borrowed */
struct loop *server_loop(struct server *server);
size_t server_worker_count(const struct server *server);
struct worker *server_worker(struct server *server, size_t number);
int64_t server_started(const struct server *server); /* seconds since 1970 */
struct auth *server_auth(struct server *server);
/* The access logs' files were moved away: they are opened anew. Which cannot be is logged, with a
 * line in `errors`. Returns how many could. */
size_t server_reopen_logs(struct server *server, struct buf *errors);
struct accounts *server_accounts(struct server *server); /* NULL: nobody has had limits so far */
/* Addresses and doors that are no targets. */
const struct own *server_own(struct server *server);
/* How far clients are: what the workers have measured so far is in it. */
struct roundtrips *server_roundtrips(struct server *server);
struct dnsstatus *server_dnsstatus(struct server *server);
struct history *server_history(struct server *server);
bool server_is_draining(const struct server *server);
/* Configurations taken over since the start, and those that were not, for their errors. Any thread.
 */
uint64_t server_reloads(const struct server *server);
uint64_t server_refused_reloads(const struct server *server);
/* All workers have the settings of server_settings(). */
bool server_reload_is_taken(struct server *server);
/* How it was started, as conf_write_command() writes it. */
void server_write_command(const struct server *server, struct buf *out);
/* Settings as the next reload would have them, from the same command line. As server_load(). */
int server_load_next(struct server *server, struct buf *errors, struct settings **out);
/* Loads the configuration anew; the old one stays when the new one has errors (they are logged and
 * appended to `errors`). */
int server_reload(struct server *server, struct buf *errors);

#endif
