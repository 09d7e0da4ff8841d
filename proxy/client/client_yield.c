/* client_yield - which of a worker's clients give way to others where places or memory are short.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "cache/spool.h"
#include "proxy/client/client.h"
#include "proxy/client/connect.h"
#include "proxy/origin/fetch.h"

enum {
    LOOKED_AT = 64, /* most clients examined to find one to close */
    /* most clients that are closed for memory at a time, as each may hold little */
    YIELDING_MAX = 8,
    WAITED_MS = 1000,   /* a client that has waited this long for a request is idle */
    JUST_COME_MS = 250, /* a client that has waited for less may be sending a request */
};

/* Stands it in the row of those whose handshake may not begin so far? What it has said is not read
 * before, so its time to say more begins anew. */
static bool stands_in_row(struct client *client)
{
    if (client->speech != CLIENT_SECURING || !client->speaker.securing ||
        !transport_awaits_turn(client->speaker.securing)) {
        return false;
    }
    client->since = loop_now_ms(client->worker->loop);
    return true;
}

/* Has the client been idle since before that time? */
static bool is_waiting(const struct client *client, uint64_t before_ms)
{
    switch (client->speech) {
    case CLIENT_SECURING:
        return client->since <= before_ms;
    case CLIENT_H1:
        return h1_is_waiting(client->speaker.h1, before_ms);
    case CLIENT_H2:
        return h2_is_waiting(client->speaker.h2, before_ms);
    }
    UNREACHABLE();
}

/* Does the client keep a place for bytes that it does not send, or does not read? */
static bool is_stalled(const struct client *client)
{
    switch (client->speech) {
    case CLIENT_SECURING:
        return false;
    case CLIENT_H1:
        return h1_is_slow(client->speaker.h1) || h1_is_stalled(client->speaker.h1);
    case CLIENT_H2:
        return h2_is_slow(client->speaker.h2) || h2_is_stalled(client->speaker.h2);
    }
    UNREACHABLE();
}

/* Closes the connection as if the client had timed out. */
static void give_way(struct client *client)
{
    metric_add(&client->worker->counters.clients_evicted, 1);
    if (client->speech == CLIENT_H1) {
        h1_abort(client->speaker.h1, ERR_TIMEOUT);
    } else {
        h2_abort(client->speaker.h2, ERR_TIMEOUT);
    }
}

static void stop_waiting(struct client *client)
{
    metric_add(&client->worker->counters.clients_evicted, 1);
    client_end(client);
}

/* Who has done nothing since then has waited for so long, even if the process could not run for a
 * while: what has come meanwhile may still have to be read. */
static uint64_t ms_ago(const struct worker *worker, uint64_t ms)
{
    uint64_t read = loop_read_ms(worker->loop);

    return read > ms ? read - ms : 0;
}

/*
 * A new client is served as long as some client had no request in progress for a second and can be
 * closed: otherwise a crowd that sends nothing, or only a part of a head, would keep everybody out.
 *
 * If there is no such client, one is closed that has begun a body and sends a byte now and then (a
 * body without a length is never known to be late, and others only after `timeouts.client-body`),
 * or that reads next to nothing of its response. If there is none either (a crowd that connects by
 * hundreds per second fills the table before anybody has waited for a second), waiting for a
 * quarter of a second is enough, for which newcomers wait (listener.c). A client that has just
 * connected, or has just been answered, may be sending a request, and stays.
 *
 * Only a few clients are examined, so that this is quick when many are busy.
 */
bool clients_evict_waiting(struct worker *worker)
{
    uint64_t idle = ms_ago(worker, WAITED_MS), settled = ms_ago(worker, JUST_COME_MS);
    struct client *slow = NULL, *early = NULL;

    for (int i = 0; i < LOOKED_AT && !list_empty(&worker->clients); i++) {
        struct client *client = list_entry(list_rotate(&worker->clients), struct client, link);
        if (stands_in_row(client)) {
            continue;
        }
        if (is_waiting(client, idle)) {
            stop_waiting(client);
            return true;
        }
        slow = slow == NULL && is_stalled(client) ? client : slow;
        early = early == NULL && is_waiting(client, settled) ? client : early;
    }
    if (slow) {
        give_way(slow);
    } else if (early) {
        stop_waiting(early);
    }
    return slow || early;
}

/*
 * Clients that stay below the limits of connections may still fill the memory: an unfinished TLS
 * handshake holds about 40 KiB, and so does a body that does not arrive. It is unknown which kind
 * holds most, so all kinds are closed in turn. Idle clients, which hold little and may be about to
 * send a request, fetches that an origin does not answer, and tunnels through which nothing comes
 * end only if requests would be refused otherwise. Where even who connects would be refused, a
 * quarter of a second without a request is enough, as for a place.
 */
bool clients_yield_memory(struct worker *worker)
{
    uint64_t before = ms_ago(worker, memory_is_swamped() ? JUST_COME_MS : WAITED_MS);
    bool refuses = memory_lacks(SPOOL_LEAST);
    int count = refuses && fetches_yield_memory(worker);

    count += refuses && connects_yield_memory(worker);

    for (int i = 0; i < LOOKED_AT && count < YIELDING_MAX && !list_empty(&worker->clients); i++) {
        struct client *client = list_entry(list_rotate(&worker->clients), struct client, link);
        bool hoards = client->speech == CLIENT_SECURING || refuses;
        if (hoards && is_waiting(client, before)) {
            stop_waiting(client);
            count++;
        } else if (is_stalled(client)) {
            give_way(client);
            count++;
        }
    }
    return count > 0;
}

static void on_memory_wanted(struct letter *letter)
{
    clients_yield_memory(container_of(letter, struct worker, memory_wanted));
}

void clients_seek_memory(struct worker *worker)
{
    if (memory_is_scarce()) {
        worker->memory_wanted.call = on_memory_wanted;
        loop_post(worker->loop, &worker->memory_wanted);
    }
}
