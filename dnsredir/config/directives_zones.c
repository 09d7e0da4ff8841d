#include "dnsredir/config/directives_zones.h"

#include "base/mem.h"
#include "dnsredir/config/directives_dnssec.h"
#include "dnsredir/config/directives_update.h"
#include "dnsredir/config/pattern.h"

/* Directives of later versions, which are refused by name, so that nobody believes they have an
 * effect. */
static const char *const later_zone[] = {"file", NULL};

static void check_records(const struct name_row *row, const struct conf_at *at)
{
    static const struct name root = {.len = 1};
    struct record *record = xmalloc(sizeof(*record));

    for (size_t i = 0; i < row->record_count; i++) {
        const char *what;
        if (record_parse(span_str(row->records[i]), &root, record, &what)) {
            conf_complain(at, "records", i, "\"%.100s\": %s%s", row->records[i], what,
                          strstr(what, "expected") ? "" : "; expected \"[TTL] TYPE DATA\"");
        }
    }
    free(record);
}

/* Reports directives that need a policy, in a name without one. */
static void check_unsteered(const struct name_row *row, const struct conf_at *at)
{
    if (row->record_count == 0 && !row->has_update) {
        conf_complain(at, NULL, 0, "the name has no content; expected a policy, records or update");
    }
    if (row->replica_count || row->map_count || conf_given(at, "answers") ||
        conf_given(at, "rotate")) {
        conf_complain(
            at, NULL, 0,
            "replicas, answers, rotate and map belong to a policy; expected one, or none of them");
    }
}

/* Reports directives of another policy, and missing ones of this policy. */
static void check_steered(const struct name_row *row, const struct conf_at *at)
{
    if (row->policy == POLICY_FAILOVER && row->replica_count == 0) {
        conf_complain(at, "policy", 0, "failover needs an order; expected replicas");
    }
    if (row->map_count && row->policy != POLICY_NEAREST) {
        conf_complain(at, "map", 0,
                      "only policy nearest looks at networks; expected that policy, or no map");
    }
}

static void check_weights(const struct name_row *row, const struct conf_at *at)
{
    if (row->weight_count && (!row->steered || row->policy != POLICY_WEIGHTED)) {
        conf_complain(at, "weights", 0,
                      "only policy weighted has weights; expected that policy, or no weights");
    } else if (row->weight_count && row->replica_count == 0) {
        conf_complain(at, "weights", 0,
                      "weights of replicas that are not named; expected replicas");
    } else if (row->weight_count && row->weight_count != row->replica_count) {
        conf_complain(at, "weights", 0, "%zu weights for %zu replicas; expected one for each",
                      row->weight_count, row->replica_count);
    }
}

static void check_name(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct name_row *row = bound;
    struct pattern pattern;
    const char *what;

    row->steered = conf_given(at, "policy");
    row->has_ttl = conf_given(at, "ttl");
    row->has_update = conf_given(at, "update");
    if (pattern_parse(span_str(row->name), &pattern, &what)) {
        conf_complain(at, "name", 0, "%s%s", what,
                      strstr(what, "expected") ? "" : "; expected a name such as www or v[1-24]");
    }
    if (row->steered) {
        check_steered(row, at);
    } else {
        check_unsteered(row, at);
    }
    check_weights(row, at);
    check_records(row, at);
}

static void check_map_row(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct map_row *row = bound;

    row->has_prefix = conf_given(at, "prefix");
    if (row->has_prefix == (row->region != NULL)) {
        conf_complain(at, NULL, 0, "%s; expected one of them",
                      row->region ? "a prefix and a region" : "neither a prefix nor a region");
    }
}

/* clang-format off */
#define MAP(member) CONF_FIELD(struct map_row, member)
#define MAP_REPLICA                                                                               \
    {"replica", CONF_STRING, CONF_LIST(struct map_row, replicas, replica_count),                   \
     NULL, NULL, NULL, CONF_REQUIRED | CONF_RELOAD,                                                \
     "Its replica, or several in order of preference."}
static const struct conf_directive override_directives[] = {
    {"prefix", CONF_PREFIX, MAP(prefix), NULL, NULL, NULL, CONF_RELOAD, "Client network."},
    {"region", CONF_STRING, MAP(region), NULL, "1", "64", CONF_RELOAD,
     "Region from nearest.regions instead of a prefix."},
    MAP_REPLICA,
    {0},
};
static const struct conf_table override_table = {
    .rows = override_directives, .size = sizeof(struct map_row), .finish = check_map_row};

static const struct conf_directive map_directives[] = {
    {"prefix", CONF_PREFIX, MAP(prefix), NULL, NULL, NULL, CONF_REQUIRED | CONF_RELOAD,
     "Client network."},
    MAP_REPLICA,
    {0},
};
const struct conf_table map_table = {.rows = map_directives, .size = sizeof(struct map_row)};

#define NAME(member) CONF_FIELD(struct name_row, member)
static const struct conf_directive name_directives[] = {
    {"name", CONF_STRING, NAME(name), NULL, "1", "512", CONF_REQUIRED | CONF_RELOAD,
     "Name relative to the zone; @ is the zone itself, * a wildcard. v[1-24].x[1-8] stands "
     "for 192 names."},
    {"policy", CONF_ENUM(policy_words), NAME(policy), NULL, NULL, NULL, CONF_RELOAD,
     "How its addresses are chosen: nearest (to the client), hashed (by the name), weighted "
     "(random, but stable for a client), failover (the first that is up), static (all, "
     "rotated)."},
    {"replicas", CONF_STRING, CONF_LIST(struct name_row, replicas, replica_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Replicas to choose from, in order of preference for failover. Default: all."},
    {"weights", CONF_INT, CONF_LIST(struct name_row, weights, weight_count),
     NULL, "1", "1000000000", CONF_RELOAD,
     "For weighted: one weight per replica. Default: their capacity, or equal."},
    {"answers", CONF_INT, NAME(answers), "0", "0", "16", CONF_RELOAD,
     "Number of addresses in an answer. 0: those of the best replica, or all if nothing is "
     "known."},
    {"rotate", CONF_BOOL, NAME(rotate), "yes", NULL, NULL, CONF_RELOAD,
     "Rotate the addresses in answers; never for failover."},
    {"ttl", CONF_SEC, NAME(ttl), "30s", "0", "7d", CONF_RELOAD,
     "TTL of its addresses, and, if set, of its records without one of their own."},
    {"map", CONF_MAP(override_table), CONF_LIST(struct name_row, map_rows, map_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "For nearest: networks and their replicas for this name, before everything else."},
    {"records", CONF_STRING, CONF_LIST(struct name_row, records, record_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "Plain records in zone file format: \"MX 10 mx.example.net.\". Types without a word of their own "
     "as numbers, with data in hexadecimal (RFC 3597): 'TYPE4242 \\# 3 000100'."},
    {"update", CONF_MAP(update_table), NAME(update), NULL, NULL, NULL, CONF_OPTIONAL | CONF_RELOAD,
     "Allow dynamic updates (RFC 2136) of this name. Needs state."},
    {0},
};
static const struct conf_table name_table = {
    .rows = name_directives, .size = sizeof(struct name_row), .finish = check_name};

#define SOA(member) CONF_FIELD(struct zone_row, soa.member)
static const struct conf_directive soa_directives[] = {
    {"mname", CONF_STRING, SOA(mname), NULL, "1", "255", CONF_RELOAD,
     "Primary server. Default: the first of nameservers."},
    {"rname", CONF_STRING, SOA(rname), NULL, "1", "255", CONF_RELOAD,
     "Mail address of the person responsible, as a domain name. Default: hostmaster in the "
     "zone."},
    {"serial", CONF_INT, SOA(serial), "0", NULL, NULL, CONF_RELOAD,
     "Serial number. 0: the time of loading."},
    {"refresh", CONF_SEC, SOA(refresh), "1h", "0", "7d", CONF_RELOAD, "For secondaries."},
    {"retry", CONF_SEC, SOA(retry), "15min", "0", "7d", CONF_RELOAD, "For secondaries."},
    {"expire", CONF_SEC, SOA(expire), "14d", "0", "365d", CONF_RELOAD, "For secondaries."},
    {"minimum", CONF_SEC, SOA(minimum), "60s", "0", "7d", CONF_RELOAD,
     "How long resolvers cache negative answers."},
    {0},
};
static const struct conf_table soa_table = {.rows = soa_directives};

#define ZONE(member) CONF_FIELD(struct zone_row, member)
static const struct conf_directive zone_directives[] = {
    {"name", CONF_STRING, ZONE(name), NULL, "1", "512", CONF_REQUIRED | CONF_RELOAD,
     "The zone's name, such as cdn.example.net."},
    {"nameservers", CONF_STRING, CONF_LIST(struct zone_row, nameservers, nameserver_count),
     NULL, NULL, NULL, CONF_REQUIRED | CONF_RELOAD, "Its NS records: the names of its servers."},
    {"ttl", CONF_SEC, ZONE(ttl), "1h", "0", "7d", CONF_RELOAD,
     "TTL of SOA, NS and records without one of their own."},
    {"soa", CONF_MAP(soa_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "The fields of the SOA record."},
    {"dnssec", CONF_MAP(zone_dnssec_table), CONF_SAME, NULL, NULL, NULL, CONF_RELOAD,
     "DNSSEC; the zone is signed if it has a key."},
    {"names", CONF_MAP(name_table), CONF_LIST(struct zone_row, names, name_count),
     NULL, NULL, NULL, CONF_RELOAD, "The names in the zone."},
    {0},
};
const struct conf_table zone_table = {
    .rows = zone_directives, .later = later_zone, .size = sizeof(struct zone_row)};
/* clang-format on */
