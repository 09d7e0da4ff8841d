/*
 * server_takeover - a newer process takes over from this one, or this one from an older process.
 * The older process goes on as after SIGTERM, except that the newer one serves its sockets. The
 * newer process gets the store when the older one does not need it any more; until then its cache
 * is in memory only. ADR 11 has the reasons.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/takeover.h"
#include "proxy/access/account.h"
#include "proxy/admin/admin.h"
#include "proxy/server_parts.h"

enum { LATE_AGAIN_MS = 1000, LATE_LOUD = 60 };

/* ---- the older process ---- */

/* Are there byte counts that exist only in memory, because the ledger cannot be opened so far? */
static bool counts_late(const struct server *server)
{
    struct accounts_stats stats = {0};

    if (server->accounts) {
        accounts_stats(server->accounts, &stats);
    }
    return stats.late && stats.accounts > 0;
}

/* Why no newer process can take over now. Listeners are closed while draining. If another process
 * opened the store before this one, responses invalidated here would come back; and bytes counted
 * here would be lost if this process ended before it has the ledger. */
static const char *refuses(void *arg)
{
    const struct server *server = arg;

    if (server->draining) {
        return "this one is already stopping";
    }
    if (counts_late(server)) {
        return "this one has not got the quotas yet, and has counted what was used since";
    }
    return cache_is_late_and_changed(server->cache)
               ? "this one has not got the store yet, which is older than what it knows"
               : NULL;
}

static void on_gift(void *arg, struct takeover_gift *gift)
{
    struct server *server = arg;

    gift->holds_store = cache_stores(server->cache) || cache_is_late(server->cache);
    memcpy(gift->secret, cache_secret(server->cache), sizeof(gift->secret));
}

/* The newer process reports to the service manager, so the end of this one is not reported. */
static void on_ready(void *arg)
{
    struct server *server = arg;

    server->watchdog = false;
    server->succeeded = !server->draining;
    admin_close(&server->admin);
    if (!server->draining) {
        server_drain(server);
    }
}

/* Only tunnels are left, which may last; the newer process need not wait for them. */
static void on_all_quiet(struct letter *letter)
{
    struct server *server = container_of(letter, struct server, all_quiet);

    if (server->takeover && takeover_is_ready(server->takeover)) {
        cache_let_go(server->cache);
        takeover_release(server->takeover);
        log_info("takeover_released", "store=%zu", server->settings->store_count);
    }
}

int server_offer(struct server *server)
{
    const struct takeover_events events = {
        .refuses = refuses, .on_gift = on_gift, .on_ready = on_ready, .arg = server};

    server->all_quiet.call = on_all_quiet;
    return server->settings->takeover
               ? takeover_open(loop_uv(server->loop), server->settings->takeover, "larder-proxy",
                               &events, &server->takeover)
               : 0;
}

void server_withdraw(struct server *server)
{
    takeover_close(&server->takeover);
    takeover_forget();
}

/* ---- the newer process ---- */

const struct sip_key *server_late_secret(struct server *server)
{
    const struct takeover_gift *gift = takeover_gift();

    if (gift == NULL || !gift->holds_store) {
        return NULL;
    }
    memcpy(&server->late_secret, gift->secret, sizeof(server->late_secret));
    return &server->late_secret;
}

/* Tries to open the store. The older process's lock may outlast the process for a moment, or the
 * process may still have the store. On other errors the cache stays in memory; the log has the
 * reason. */
static void try_store(struct timeout *timeout)
{
    struct server *server = container_of(timeout, struct server, late);

    if (server->draining || !cache_is_late(server->cache) ||
        cache_open_late(server->cache) != ERR_BUSY) {
        return;
    }
    if (server->late_tries == 0) {
        log_info("store_late_waits", "why=%s", "another process still has it");
    }
    if (++server->late_tries == LATE_LOUD) {
        log_error("store_late_waits", "tries=%u why=%s next=%s", server->late_tries,
                  "another process has it", "nothing is stored on disk until that has ended");
    }
    timeout_set(server->loop, timeout, LATE_AGAIN_MS);
}

static void on_released(void *arg)
{
    struct server *server = arg;

    timeout_set(server->loop, &server->late, 0);
}

static void on_ended(void *arg)
{
    (void)arg;
    log_info("takeover_done", "what=%s", "the older process has ended");
}

void server_is_ready(struct server *server)
{
    timeout_init(&server->late, try_store);
    takeover_tell_ready();
    takeover_watch(loop_uv(server->loop), &(struct takeover_end){on_released, on_ended, server});
}
