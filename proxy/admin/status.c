#include "proxy/admin/status_parts.h"

#include "base/clock.h"
#include "proxy/client/pac.h"
#include "proxy/roundtrips.h"

#include <inttypes.h>

/* ---- what several pages ask ---- */

struct owners owners_of(struct server *server)
{
    struct owners owners = {.count = server_worker_count(server)};

    owners.count = owners.count < STATUS_WORKERS_MAX ? owners.count : STATUS_WORKERS_MAX;
    for (size_t i = 0; i < owners.count; i++) {
        owners.at[i] = &server_worker(server, i)->counters;
    }
    return owners;
}

uint64_t status_memory_of(enum memory_purpose purpose, const struct cache_stats *stats)
{
    uint64_t sum = memory_sum(purpose);
    uint64_t hot = purpose == MEMORY_BODIES  ? stats->table.bodies
                   : purpose == MEMORY_HEADS ? stats->table.heads
                                             : 0;

    return sum > hot ? sum - hot : 0;
}

/* ---- small pages ---- */

int status_index(const struct status_query *query, struct buf *out)
{
    buf_printf(out, "larder-proxy " LARDER_VERSION "\n\n"
                    "/           the dashboard, for browsers\n"
                    "/status     what it does, as JSON (or: larderctl status)\n"
                    "/store      what is on disk (or: larderctl store)\n"
                    "/explain    why a URL is answered as it is, ?url=... (or: larderctl explain)\n"
                    "/purge      POST: out of the cache, ?url=... (or: larderctl purge)\n"
                    "/history    the last 24 hours, ?step=1, 10 or 120\n"
                    "/top        the busiest hosts and clients, and what could not be saved\n"
                    "/warnings   what needs attention\n"
                    "/replicas   what larder-dns says (admin.dns)\n"
                    "/metrics    the same for Prometheus\n"
                    "/rtt        round-trip times by clients' networks, for larder-dns\n"
                    "/healthz    200 while the process lives\n"
                    "/readyz     200 while it takes requests\n"
                    "/config     what is in force (or: larderctl diff, larderctl reload)\n"
                    "/tail       decisions as they are made (or: larderctl tail, larderctl top)\n"
                    "/proxy.pac  for the browser's automatic proxy configuration\n"
                    "/setup      how to set up systems and programs to use this proxy\n");
    return 200;
}

int status_health(const struct status_query *query, struct buf *out)
{
    buf_printf(out, "ok\n");
    return 200;
}

int status_ready(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    if (server_is_draining(server)) {
        buf_printf(out, "draining\n");
        return 503;
    }
    if (cache_is_failing(server_cache(server))) {
        buf_printf(out, "the store fails: see the log\n");
        return 503;
    }
    buf_printf(out, "ready\n");
    return 200;
}

struct span status_load(struct server *server, struct arena *arena)
{
    struct owners owners = owners_of(server);
    const void *const *at = owners.at;

    return arena_printf(arena,
                        "requests=%" PRIu64 ", bytes=%" PRIu64 ", connections=%" PRIu64
                        ", draining=%d, overload=%d",
                        metrics_sum(at, owners.count, offsetof(struct counters, requests)),
                        metrics_sum(at, owners.count, offsetof(struct counters, client_sent_bytes)),
                        metrics_sum(at, owners.count, offsetof(struct counters, clients_open)),
                        server_is_draining(server), memory_is_swamped());
}

struct span status_parameter(struct span query, struct span name)
{
    while (query.len) {
        struct span value = span_cut(&query, '&');
        if (span_eq(span_cut(&value, '='), name)) {
            return value;
        }
    }
    return SPAN_EMPTY;
}

/* 16 digits, as the report writes them; anything else is not an epoch of ours. */
static uint64_t hexadecimal(struct span text)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(digits, text.at[i], 16);
        if (!digit || text.len != 16) {
            return 0;
        }
        value = value << 4 | (uint64_t)(digit - digits);
    }
    return value;
}

int status_rtt(const struct status_query *query, struct buf *out)
{
    uint64_t since = 0;

    span_to_u64(status_parameter(query->query, SPAN("since")), UINT64_MAX, &since);
    roundtrips_write(server_roundtrips(query->server),
                     hexadecimal(status_parameter(query->query, SPAN("epoch"))), since,
                     clock_mono_ms() / 1000, out);
    return 200;
}

/* ---- for browsers ---- */

static int pac_of(const struct status_query *query, const char *path, struct buf *out)
{
    struct pac_asker asker = {.host = query->host};

    pac_page(span_str(path))->write(server_settings(query->server), &asker, out);
    return 200;
}

int status_pac(const struct status_query *query, struct buf *out)
{
    return pac_of(query, "/proxy.pac", out);
}

int status_setup(const struct status_query *query, struct buf *out)
{
    return pac_of(query, "/setup", out);
}
