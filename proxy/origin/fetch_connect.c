/* fetch_connect - CONNECT: gets a connection to the origin, not before the disk can keep up. */
#include "proxy/origin/choice.h"
#include "proxy/origin/fetch_parts.h"
#include "proxy/tls_set.h"

#include "base/err.h"

enum {
    STORE_WAIT_MS = 100, /* ms between checks of a disk that is behind */
    /* A piece that cannot be stored would have to be fetched again, so a piece waits longer; but no
     * request waits longer for the disk than for an origin. */
    STORE_WAITS_PIECE = 10,
    /* Otherwise the response is served without being stored. A short wait of each fetch slows
     * clients that ask one request after the other to the speed of the disk, and delays other
     * clients only a little. */
    STORE_WAITS_WHOLE = 1,
};

static void count_connected(struct fetch *fetch, const struct upstream_result *result)
{
    struct counters *counters = &fetch->worker->counters;

    metric_add(&counters->origin_fetches, 1);
    if (result->secured) {
        metric_add(
            result->resumed ? &counters->origin_tls_resumed : &counters->origin_tls_handshakes, 1);
    }
}

static void note_peer(struct fetch *fetch, const struct ip *address)
{
    if (fetch->peer && fetch->owner) {
        *fetch->peer = *address;
    }
}

/* ---- choosing an origin of the site ---- */

static const struct origin *origin_asked(const struct fetch *fetch)
{
    bool of_site = fetch->site && fetch_is_configured(fetch);

    return of_site ? &fetch->site->origins[fetch->origin] : NULL;
}

static const struct uri *uri_asked(const struct fetch *fetch)
{
    const struct origin *origin = origin_asked(fetch);

    return origin ? &origin->uri : fetch_asked(fetch);
}

/* As fetch_next_origin(), also for sites with only one origin. */
static bool choose_origin(struct fetch *fetch, bool *silent)
{
    struct choice *choice = upstreams_choice(fetch->worker->upstreams);
    uint64_t now = loop_now_ms(fetch->worker->loop);

    if (origin_asked(fetch) == NULL) {
        *silent = !choice_may_ask(choice, fetch_asked(fetch), now);
        return false;
    }
    size_t next = choice_next(choice, fetch->site, fetch->asked, now, silent);
    if (next == fetch->site->origin_count) {
        return false;
    }
    fetch->origin = (uint8_t)next;
    fetch->asked |= UINT64_C(1) << next;
    return true;
}

bool fetch_next_origin(struct fetch *fetch, bool after_silence)
{
    bool silent;

    return choose_origin(fetch, &silent) && !(after_silence && silent);
}

void fetch_heard(struct fetch *fetch)
{
    if (fetch->upgrade.protocol.len == 0) {
        upstream_heard(fetch->worker->upstreams, fetch->stream);
    }
    choice_heard(upstreams_choice(fetch->worker->upstreams), uri_asked(fetch));
}

void fetch_heard_nothing(struct fetch *fetch)
{
    choice_silent(upstreams_choice(fetch->worker->upstreams), uri_asked(fetch),
                  loop_now_ms(fetch->worker->loop));
}

/* ---- connecting ---- */

static bool connect_elsewhere(struct fetch *fetch, int err)
{
    if (err == ERR_TIMEOUT) {
        fetch_heard_nothing(fetch);
    }
    return fetch_next_origin(fetch, false);
}

static void on_connected(void *arg, const struct upstream_result *result)
{
    struct fetch *fetch = arg;

    fetch->job = NULL;
    if (result->err && result->only_http2) {
        fetch_forget_upgrade(fetch);
        fetch_connect(fetch, false);
    } else if (result->err && connect_elsewhere(fetch, result->err)) {
        fetch_connect(fetch, false);
    } else if (result->err) {
        struct failure failure = target_failure(&fetch->target, result);
        fetch_fail(fetch, failure.status, failure.reason);
    } else {
        note_peer(fetch, &result->address);
        fetch->stream = result->stream;
        fetch_set_state(fetch, FETCH_SEND);
        stream_bind(fetch->stream, &fetch_stream_events, fetch);
        fetch->times.request = loop_wall(fetch->worker->loop);
        fetch->moved_ms = loop_now_ms(fetch->worker->loop);
        count_connected(fetch, result);
        stream_send(fetch->stream, &fetch->out,
                    fetch->upgrade.protocol.len ? fetch->upgrade.from_client
                                                : fetch_request_body(fetch));
    }
}

void fetch_connect(struct fetch *fetch, bool fresh)
{
    const struct uri *to = uri_asked(fetch);
    bool configured = origin_asked(fetch) != NULL;
    struct upstream_target target = {
        .host = to->host,
        .port = to->port,
        .tls = to->https ? tls_set_origins(fetch->settings, fetch_trusts(fetch)) : NULL,
        .configured = configured,
        .client = fetch->client_ip,
        .alone = fetch->upgrade.protocol.len > 0,
        .fresh = fresh,
    };

    own_addrs_refresh(&fetch->worker->own_addrs, loop_now_ms(fetch->worker->loop));
    fetch->target = (struct target_check){
        .settings = fetch->settings,
        .configured = configured,
        .own_addrs = &fetch->worker->own_addrs,
    };
    fetch->check = (struct address_check){target_allowed, &fetch->target};
    fetch->job = upstream_get(fetch->worker->upstreams, &target, fetch->check, on_connected, fetch);
}

/* ---- when the disk is behind ---- */

void fetch_end_store_wait(struct fetch *fetch)
{
    timeout_clear(&fetch->store_wait);
    if (fetch->owner && fetch->owner->waited) {
        disk_wait_end(fetch->owner->waited);
    }
}

/* The piece is one of several, so its client may be waiting for another one. */
static void begin_store_wait(struct fetch *fetch)
{
    fetch->store_waits++;
    timeout_set(fetch->worker->loop, &fetch->store_wait, STORE_WAIT_MS);
    if (fetch->owner && fetch->owner->waited && fetch->claim.base == NULL) {
        disk_wait_begin(fetch->owner->waited);
    }
}

/* How often the fetch may wait for the disk; 0 if the response will probably not be stored. */
static int store_waits_max(const struct fetch *fetch)
{
    if (fetch->claim.base) {
        return STORE_WAITS_PIECE;
    }
    bool whole = fetch->shared && fetch->client.method == METHOD_GET && !fetch_is_validating(fetch);
    return whole ? STORE_WAITS_WHOLE : 0;
}

/* Begins to connect, unless the origin is known to be silent and a stored response may be used
 * instead. */
static void ask_origin(struct fetch *fetch)
{
    bool silent;

    choose_origin(fetch, &silent);
    if (silent && fetch_use_stale(fetch, REASON_ORIGIN_SILENT)) {
        fetch_finish(fetch);
    } else {
        fetch_connect(fetch, false);
    }
}

/* Connects when the disk can take the response, or when it has waited long enough. */
void fetch_connect_in_time(struct fetch *fetch)
{
    if (fetch->store_waits < store_waits_max(fetch) &&
        cache_should_wait(fetch->worker->cache, &fetch->claim, &fetch->primary)) {
        begin_store_wait(fetch);
    } else {
        fetch_end_store_wait(fetch);
        ask_origin(fetch);
    }
}

static void on_store_wait(struct timeout *timeout)
{
    fetch_connect_in_time(container_of(timeout, struct fetch, store_wait));
}

void fetch_init_store_wait(struct fetch *fetch)
{
    timeout_init(&fetch->store_wait, on_store_wait);
}
