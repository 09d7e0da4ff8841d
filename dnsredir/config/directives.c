#include "dnsredir/config/directives.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "dnsredir/config/compile.h"
#include "dnsredir/config/directives_dnssec.h"
#include "dnsredir/config/directives_health.h"
#include "dnsredir/config/directives_measured.h"
#include "dnsredir/config/directives_proto.h"
#include "dnsredir/config/directives_resolver.h"
#include "dnsredir/config/directives_update.h"
#include "dnsredir/config/directives_zones.h"

#define ADMIN_PORT 3129
#define DNS_PORT 53

/* Parses a URL such as "http://192.0.2.10:3129". */
static int parse_admin(struct span text, struct arena *arena, void *out, const char **what)
{
    struct endpoint *endpoint = out;

    if (!span_starts(text, SPAN("http://"))) {
        *what = "it does not begin with http://";
        return ERR_SYNTAX;
    }
    struct span rest = span_skip(text, 7);
    rest.len -= span_ends(rest, SPAN("/"));
    if (rest.len == 0 || rest.at[0] == ':' ||
        endpoint_parse(rest, ADMIN_PORT, &endpoint->address, &endpoint->len)) {
        *what = "the host must be an IP address";
        return ERR_SYNTAX;
    }
    struct span copy = arena_printf(arena, "%.*s", SPAN_ARGS(rest));
    endpoint->text = arena_zalloc(arena, copy.len + 1);
    memcpy(endpoint->text, copy.at, copy.len);
    return 0;
}

static const struct conf_custom admin_url = {
    .expected = "a URL such as http://192.0.2.10:3129",
    .size = sizeof(struct endpoint),
    .parse = parse_admin,
};

/* ---- replicas ---- */

/* Describes an address that no client can connect to. NULL: clients can. */
static const char *nobodys_address(const struct ip *ip)
{
    static const uint8_t none[16] = {0}, all[4] = {255, 255, 255, 255};
    bool v4 = ip_is_v4(ip);
    const uint8_t *at = ip->at + (v4 ? 12 : 0);

    if (memcmp(at, none, v4 ? 4 : 16) == 0) {
        return "the unspecified address";
    }
    if (v4 && memcmp(at, all, sizeof(all)) == 0) {
        return "the broadcast address";
    }
    return (v4 ? at[0] >> 4 == 0xe : at[0] == 0xff) ? "a multicast address" : NULL;
}

static void check_addresses(const struct replica_row *row, const struct conf_at *at)
{
    char text[IP_TEXT_MAX];

    for (size_t i = 0; i < row->address_count; i++) {
        const char *kind = nobodys_address(&row->addresses[i]);
        if (kind) {
            conf_complain(at, "addresses", i, "%s is %s; expected one of the replica",
                          ip_text(&row->addresses[i], text), kind);
        }
    }
}

static void check_replica(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct replica_row *row = bound;

    if (row->target && row->address_count) {
        conf_complain(at, "target", 0, "clients get addresses or a name; expected one of them");
    } else if (!row->target && row->address_count == 0) {
        conf_complain(at, NULL, 0, "the replica has neither; expected addresses or target");
    }
    check_addresses(row, at);
    if (row->location_count != 0 && row->location_count != 2) {
        conf_complain(at, "location", 0, "one number or three; expected latitude and longitude");
    } else if (row->location_count == 2 && (row->location[0] < -90 || row->location[0] > 90)) {
        conf_complain(at, "location", 0, "no such latitude; expected -90 to 90");
    }
}

/* clang-format off */
#define REPLICA(member) CONF_FIELD(struct replica_row, member)
static const struct conf_directive replica_directives[] = {
    {"name", CONF_STRING, REPLICA(name), NULL, "1", "64", CONF_REQUIRED | CONF_RELOAD,
     "Its name in other directives, metrics and logs."},
    {"addresses", CONF_IP, CONF_LIST(struct replica_row, addresses, address_count),
     NULL, NULL, NULL, CONF_RELOAD, "Addresses given to clients, as A and AAAA records."},
    {"target", CONF_STRING, REPLICA(target), NULL, "1", "255", CONF_RELOAD,
     "Host name given to clients as a CNAME, instead of addresses."},
    {"location", CONF_REAL, CONF_LIST(struct replica_row, location, location_count),
     NULL, "-180", "180", CONF_RELOAD, "Latitude and longitude in degrees, for distances."},
    {"capacity", CONF_INT, REPLICA(capacity), "0", NULL, "1000000000", CONF_RELOAD,
     "How much it can serve, in any unit common to all replicas; also its weight."},
    {"drain", CONF_BOOL, REPLICA(drain), "no", NULL, NULL, CONF_RELOAD,
     "Leave it out of answers while others are up; larderctl drain does so without a reload."},
    {"admin", CONF_CUSTOM(admin_url), REPLICA(admin), NULL, NULL, NULL, CONF_RELOAD,
     "URL of its admin listener, for health checks and load. Without it, it counts as up."},
    {0},
};
static const struct conf_table replica_table = {
    .rows = replica_directives, .size = sizeof(struct replica_row), .finish = check_replica};
/* clang-format on */

/* ---- nearest, and the root ---- */

/* clang-format off */
#define REGION(member) CONF_FIELD(struct region_row, member)
static const struct conf_directive region_directives[] = {
    {"name", CONF_STRING, REGION(name), NULL, "1", "64", CONF_REQUIRED | CONF_RELOAD,
     "Its name, for the map of a name."},
    {"prefixes", CONF_PREFIX, CONF_LIST(struct region_row, prefixes, prefix_count),
     NULL, NULL, NULL, CONF_REQUIRED | CONF_RELOAD, "Its networks."},
    {"replica", CONF_STRING, CONF_LIST(struct region_row, replicas, replica_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Default replica of its networks, if no map and no more specific entry of the database "
     "has one."},
    {0},
};
static const struct conf_table region_table = {
    .rows = region_directives, .size = sizeof(struct region_row)};

#define FIELD(member) CONF_FIELD(struct settings, member)
static const struct conf_directive nearest_directives[] = {
    {"map", CONF_MAP(map_table), CONF_LIST(struct settings, map_rows, map_count),
     NULL, NULL, NULL, CONF_RELOAD, "Networks and their nearest replicas; the longest prefix wins."},
    {"map-file", CONF_PATH, FIELD(map_file), NULL, NULL, NULL, CONF_RELOAD,
     "File with more of these, in lines prefix,replica[,replica...]. map takes precedence."},
    {"geoip", CONF_PATH, FIELD(geoip), NULL, NULL, NULL, CONF_RELOAD,
     "MaxMind database with locations, for networks that are in no map."},
    {"measured", CONF_MAP(measured_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "Nearness by round-trip times measured by the replicas, for networks that are in no map."},
    {"regions", CONF_MAP(region_table), CONF_LIST(struct settings, regions, region_count),
     NULL, NULL, NULL, CONF_RELOAD, "Named groups of networks, with default replicas."},
    {0},
};
static const struct conf_table nearest_table = {.rows = nearest_directives};

static const struct conf_directive tcp_directives[] = {
    {"connections", CONF_INT, FIELD(tcp.connections), "1000", "1", "1000000", 0,
     "Connections per worker; one more closes the one idle longest."},
    {"per-client", CONF_INT, FIELD(tcp.per_client), "100", "1", "1000000", 0,
     "Connections per client network (IPv4 /24, IPv6 /56) and worker; one more closes the "
     "one idle longest."},
    {"timeout", CONF_MSEC, FIELD(tcp.timeout), "10s", "100ms", "10min", 0,
     "For a connection between two queries, for the rest of a query that has begun, and for the "
     "client to read the answer."},
    {0},
};
static const struct conf_table tcp_table = {.rows = tcp_directives};

static const struct conf_directive admin_directives[] = {
    {"address", CONF_ENDPOINT(3130), FIELD(admin), NULL, NULL, NULL, 0,
     "Serves /metrics, /status, /healthz, /readyz and larderctl. Keep it local."},
    {0},
};
static const struct conf_table admin_table = {.rows = admin_directives};

static const struct conf_directive directives[] = {
    {"listen", CONF_ENDPOINT(DNS_PORT), CONF_LIST(struct settings, listen, listen_count),
     "[\"0.0.0.0:53\", \"[::]:53\"]", NULL, NULL, 0, "Addresses to answer queries on, UDP and TCP."},
    {"workers", CONF_INT, FIELD(workers), "1", "1", "256", 0, "Number of event loops, each a thread."},
    {"admin", CONF_MAP(admin_table), CONF_SAME, NULL, NULL, NULL, 0, "Metrics and status."},
    {"log-level", CONF_ENUM(log_level_words), FIELD(log_level), "info", NULL, NULL, CONF_RELOAD,
     "Least severe messages written to standard error."},
    {"tcp", CONF_MAP(tcp_table), CONF_SAME, NULL, NULL, NULL, 0, "Limits for TCP connections."},
    {"cookies", CONF_MAP(cookies_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "DNS cookies, proof that a client is at its address."},
    {"rate-limit", CONF_MAP(rate_limit_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "Response rate limiting, against queries with forged addresses. Clients with a valid "
     "cookie or on TCP are exempt."},
    {"dnssec", CONF_MAP(dnssec_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "Limits for signed zones."},
    {"log", CONF_MAP(log_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD, "The query log."},
    {"state", CONF_PATH, FIELD(state), NULL, NULL, NULL, 0,
     "Directory for data that must survive a restart: records set by dynamic update, and "
     "drained replicas."},
    {"sandbox", CONF_ENUM(sandbox_words), FIELD(sandbox), "on", NULL, NULL, 0,
     "After start, drop capabilities and allow only the necessary system calls. log: allow "
     "others but write them to the kernel log; strict: the first one kills the process."},
    {"takeover", CONF_PATH, FIELD(takeover), NULL, NULL, NULL, 0,
     "Unix socket through which a new process (--takeover) takes over the sockets, so that "
     "an upgrade loses no query; see docs/service.md."},
    {"keys", CONF_MAP(keys_table), CONF_LIST(struct settings, key_rows, key_count),
     NULL, NULL, NULL, CONF_RELOAD, "TSIG keys (RFC 8945)."},
    {"identity", CONF_STRING, FIELD(identity_text), NULL, "1", "64", CONF_RELOAD,
     "Name of this server for clients that ask: with EDNS NSID (RFC 5001), or for hostname.bind or "
     "id.server in class CHAOS. Default: refused."},
    {"version", CONF_STRING, FIELD(version_text), NULL, "1", "255", CONF_RELOAD,
     "Answer to version.bind and version.server in class CHAOS. Default: refused."},
    {"health", CONF_MAP(health_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "Health checks of replicas."},
    {"load", CONF_MAP(load_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "Balancing by load and capacity of the replicas."},
    {"replicas", CONF_MAP(replica_table), CONF_LIST(struct settings, replica_rows, replica_count),
     NULL, NULL, NULL, CONF_RELOAD, "The servers that clients are sent to."},
    {"nearest", CONF_MAP(nearest_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "How to find the nearest replica."},
    {"zones", CONF_MAP(zone_table), CONF_LIST(struct settings, zone_rows, zone_count),
     NULL, NULL, NULL, CONF_RELOAD, "Zones this server is authoritative for."},
    {"resolver", CONF_MAP(resolver_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "Recursive resolver for all other names. By default for nobody."},
    {"redirect", CONF_MAP(redirect_table), CONF_LIST(struct settings, redirects, redirect_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Names of other zones for which clients of the resolver get addresses of replicas."},
    {0},
};
static const struct conf_table table = {
    .rows = directives, .size = sizeof(struct settings), .finish = compile_settings,
    .finish_always = true};

static const struct conf_option options[] = {
    {"--listen", "ADDRESS", "listen", "Answer queries at this address; may be repeated.", NULL},
    {"--admin", "ADDRESS", "admin.address", "Metrics, status and control.", NULL},
    {"--workers", "N", "workers", "Event loops.", NULL},
    {"--takeover", NULL, NULL, "Replace the process at the socket of `takeover`.", NULL},
    {"--check", NULL, NULL, "Check the configuration and exit: 0 valid, 1 not.", NULL},
    {"--ds", NULL, NULL, "Print the DS records of signed zones; exit.", NULL},
    {"--make-key", "FILE", NULL, "Make a key that signs zones, in a new file; exit.", NULL},
    {"--print-config", NULL, NULL, "Print all settings, and where each is from; exit.", NULL},
    {"--print-settings", NULL, NULL, NULL, NULL}, /* for larderctl diff */
    {"--directives", NULL, NULL, "Print what every directive means; exit.", NULL},
    {"--version", NULL, NULL, "Print the version; exit.", NULL},
    {"--help", NULL, NULL, "Print this; exit.", NULL},
    {0},
};
/* clang-format on */

/* ---- loading ---- */

/* Has each replica a name, so that the map file can be checked? */
static bool all_have_names(const struct settings *s)
{
    bool all = s->replicas != NULL;

    for (size_t i = 0; all && i < s->replica_count; i++) {
        all = s->replicas[i].name != NULL;
    }
    return all;
}

int settings_load(int argc, char **argv, struct buf *errors, struct buf *print,
                  struct settings **out)
{
    struct arena *arena = xcalloc(1, sizeof(*arena));
    struct conf *conf = conf_new(&table, errors);

    arena_init(arena, NULL, 0);
    struct settings *s = arena_zalloc(arena, sizeof(*s));
    int err = conf_arguments(conf, options, argc, argv);
    int bind_err = conf_bind(conf, s, arena);
    s->memory = arena;
    err = err ? err : bind_err;
    if (!err) {
        err = compile_nearest(s, errors);
    } else if (s->map_file && all_have_names(s)) {
        compile_check_map_file(s, errors); /* so that all errors are reported at once */
    }
    if (!err) {
        conf_flatten(conf, arena, &s->flat);
    }
    if (!err && print) {
        conf_print(conf, print);
    }
    conf_free(&conf);
    if (err) {
        settings_free(&s);
    }
    *out = s;
    return err;
}

void settings_free(struct settings **settings)
{
    struct settings *s = *settings;

    if (s) {
        struct arena *arena = s->memory;
        zones_free(&s->zones);
        signing_free(s);
        netmap_free(&s->nearest.map);
        recursor_close(&s->recursor);
        for (size_t i = 0; i < s->override_count; i++) {
            netmap_free(&s->overrides[i]);
        }
        arena_fini(arena);
        free(arena);
        *settings = NULL;
    }
}

void settings_release(struct settings *settings, unsigned *holders)
{
    if (--*holders == 0) {
        --*settings->held;
        settings_free(&settings);
        free(holders);
        memory_give_back(); /* also the memory that was needed for loading the newer settings */
    }
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return a->len == b->len && memcmp(&a->address, &b->address, a->len) == 0;
}

bool settings_same_sockets(const struct settings *a, const struct settings *b)
{
    bool same = a->listen_count == b->listen_count && a->workers == b->workers &&
                same_endpoint(&a->admin, &b->admin) &&
                memcmp(&a->tcp, &b->tcp, sizeof(a->tcp)) == 0 &&
                span_eq(span_str(a->log.queries), span_str(b->log.queries)) &&
                span_eq(span_str(a->state), span_str(b->state)) && a->sandbox == b->sandbox &&
                span_eq(span_str(a->takeover), span_str(b->takeover));

    for (size_t i = 0; same && i < a->listen_count; i++) {
        same = same_endpoint(&a->listen[i], &b->listen[i]);
    }
    return same;
}

bool settings_flag(int argc, char **argv, const char *name)
{
    return conf_flag(options, argc, argv, name);
}

const char *settings_value(int argc, char **argv, const char *name)
{
    return conf_value(options, argc, argv, name);
}

void settings_help(struct buf *out)
{
    buf_printf(out,
               "larder-dns " LARDER_VERSION " - answer names with the nearest healthy replica\n\n"
               "usage: larder-dns --config FILE [OPTION]...\n\n");
    conf_options_help(options, out);
    buf_printf(
        out, "\nExample: larder-dns --config /etc/larder/dns.yaml --check\n\n"
             "Signals: TERM and INT stop it, HUP reloads the configuration, USR1 reopens the log.\n"
             "Exit status: 0 stopped by a signal, 1 invalid configuration or failed start.\n"
             "Manual: larder-dns(8), larder.yaml(5).\n");
}

void settings_directives(struct buf *out)
{
    conf_help(&table, out);
}

void settings_manual(struct buf *out)
{
    buf_printf(out, "```\n");
    conf_options_help(options, out);
    buf_printf(out, "```\n\n");
    conf_manual(&table, out);
}
