#include "dnsredir/compile.h"

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "dnsredir/pattern.h"

#include <time.h>

#define NAMES_MAX 1000000

/* While the settings are being compiled; errors go to where the fault was written. */
struct compiler {
    struct settings *settings;
    struct arena *arena;
    const struct conf_at *at;
    struct record *record; /* too large for a stack */
    bool failed;
};

#define COMPLAIN(c, directive, index, ...)                                                         \
    ((c)->failed = true, conf_complain((c)->at, directive, index, __VA_ARGS__))

/* What is being compiled: later complaints are about the map `name` inside the current one.
 * Returns what to give back to leave(). */
static const struct conf_at *enter(struct compiler *c, const char *name, size_t index)
{
    const struct conf_at *outer = c->at;

    c->at = conf_at_map(outer, name, index);
    return outer;
}

static void leave(struct compiler *c, const struct conf_at *outer)
{
    c->at = outer;
}

static const struct sip_key replica_key; /* the same everywhere: all servers must agree */

static void compile_replicas(struct compiler *c)
{
    struct settings *s = c->settings;

    if (s->replica_count > REPLICAS_MAX) {
        COMPLAIN(c, "replicas", 0, "too many; expected at most %d", REPLICAS_MAX);
        return;
    }
    s->replicas = arena_zalloc(c->arena, s->replica_count * sizeof(*s->replicas));
    for (size_t i = 0; i < s->replica_count; i++) {
        const struct replica_row *row = &s->replica_rows[i];
        s->replicas[i] = (struct replica){
            .name = row->name,
            .addresses = row->addresses,
            .address_count = row->address_count,
            .has_location = row->location_count == 2,
            .latitude = row->location_count ? row->location[0] : 0,
            .longitude = row->location_count ? row->location[1] : 0,
            .hash = sip_hash64(&replica_key, span_str(row->name)),
        };
        for (size_t before = 0; before < i; before++) {
            if (strcmp(row->name, s->replicas[before].name) == 0) {
                COMPLAIN(c, "replicas", i, "a second replica called \"%s\"", row->name);
            }
        }
    }
}

/* The number of a replica, or -1 after a complaint. */
static int find_replica(struct compiler *c, const char *directive, size_t index, const char *name)
{
    const struct settings *s = c->settings;
    const char *names[REPLICAS_MAX];

    for (size_t i = 0; i < s->replica_count; i++) {
        if (strcmp(s->replicas[i].name, name) == 0) {
            return (int)i;
        }
        names[i] = s->replicas[i].name;
    }
    const char *closest = conf_closest(name, names, s->replica_count);
    COMPLAIN(c, directive, index, "no replica is called \"%s\"%s%s%s", name,
             closest ? "; did you mean \"" : "", closest ? closest : "", closest ? "\"?" : "");
    return -1;
}

static const struct policy *compile_policy(struct compiler *c, const struct name_row *row)
{
    const struct settings *s = c->settings;
    struct replica_set members = {{0}};

    if (s->replica_count == 0) {
        COMPLAIN(c, "policy", 0,
                 "there are no replicas to choose from; expected some under "
                 "replicas");
        return NULL;
    }
    for (size_t i = 0; i < row->replica_count; i++) {
        int id = find_replica(c, "replicas", i, row->replicas[i]);
        if (id < 0) {
            return NULL;
        }
        replica_set_put(&members, (unsigned)id, true);
    }
    for (unsigned i = 0; row->replica_count == 0 && i < s->replica_count; i++) {
        replica_set_put(&members, i, true);
    }
    return policy_new(c->arena, row->policy, (unsigned)row->answers, row->ttl, s->replicas,
                      s->replica_count, &members);
}

/* One name of a row: its policy and its records. False after a complaint. */
static bool add_name(struct compiler *c, const struct zone_row *zone_row, struct zone *zone,
                     const struct name_row *row, const struct policy *policy, struct span text)
{
    struct zones *zones = c->settings->zones;
    struct name owner;
    const char *what = "not a domain name";
    int err = name_parse(text, &zone->apex, &owner);

    if (!err && policy) {
        err = zone_add_policy(zones, zone, &owner, policy, &what);
    }
    for (size_t i = 0; !err && i < row->record_count; i++) {
        err = record_parse(span_str(row->records[i]), &zone->apex, c->record, &what);
        if (!err) {
            if (!c->record->has_ttl) {
                c->record->ttl = row->has_ttl ? row->ttl : zone_row->ttl;
            }
            err = zone_add_record(zones, zone, &owner, c->record, &what);
        }
    }
    if (err) {
        COMPLAIN(c, "name", 0, "\"%.*s\": %s", SPAN_ARGS(text), what);
    }
    return !err;
}

static void compile_name(struct compiler *c, const struct zone_row *zone_row, struct zone *zone,
                         const struct name_row *row)
{
    const struct policy *policy = NULL;
    struct pattern pattern;
    char text[PATTERN_TEXT_MAX];
    const char *what;

    if (row->steered) {
        policy = compile_policy(c, row);
    }
    if ((row->steered && !policy) || pattern_parse(span_str(row->name), &pattern, &what)) {
        return;
    }
    if (zones_name_count(c->settings->zones) + pattern.name_count > NAMES_MAX) {
        COMPLAIN(c, "name", 0, "more than %d names in all zones", NAMES_MAX);
        return;
    }
    for (uint32_t n = 0; n < pattern.name_count; n++) {
        if (!add_name(c, zone_row, zone, row, policy, pattern_name(&pattern, n, text))) {
            return;
        }
    }
}

/* A domain name that is written where only a whole name makes sense. */
static bool whole_name(struct compiler *c, const char *directive, size_t index, const char *text,
                       struct name *out)
{
    if (name_parse_absolute(span_str(text), out) == 0) {
        return true;
    }
    COMPLAIN(c, directive, index, "\"%s\" is not a domain name; expected such as www.example.net",
             text);
    return false;
}

static bool compile_soa(struct compiler *c, const struct zone_row *row, const struct name *apex,
                        struct soa *out)
{
    const char *mname = row->soa.mname ? row->soa.mname : row->nameservers[0];

    *out = (struct soa){
        .serial = row->soa.serial ? row->soa.serial : (uint32_t)time(NULL),
        .refresh = row->soa.refresh,
        .retry = row->soa.retry,
        .expire = row->soa.expire,
        .minimum = row->soa.minimum,
        .ttl = row->ttl,
    };
    if (!row->soa.rname) {
        if (name_parse(SPAN("hostmaster"), apex, &out->rname)) {
            out->rname = *apex;
        }
    } else if (strchr(row->soa.rname, '@')) {
        COMPLAIN(c, "soa", 0,
                 "rname \"%s\" is written like a mail address; expected a dot for the @",
                 row->soa.rname);
        return false;
    } else if (!whole_name(c, "soa", 0, row->soa.rname, &out->rname)) {
        return false;
    }
    return whole_name(c, row->soa.mname ? "soa" : "nameservers", 0, mname, &out->mname);
}

static void add_nameservers(struct compiler *c, const struct zone_row *row, struct zone *zone)
{
    for (size_t i = 0; i < row->nameserver_count; i++) {
        struct name host;
        const char *what;
        if (!whole_name(c, "nameservers", i, row->nameservers[i], &host)) {
            return;
        }
        c->record->type = TYPE_NS;
        c->record->ttl = row->ttl;
        c->record->len = host.len;
        memcpy(c->record->data, host.at, host.len);
        if (zone_add_record(c->settings->zones, zone, &zone->apex, c->record, &what)) {
            COMPLAIN(c, "nameservers", i, "%s", what);
            return;
        }
    }
}

/* NULL after a complaint. */
static struct zone *add_zone(struct compiler *c, const struct zone_row *row)
{
    struct zone *zone = NULL;
    struct name apex;
    struct soa soa;

    if (!whole_name(c, "name", 0, row->name, &apex) || !compile_soa(c, row, &apex, &soa)) {
        return NULL;
    }
    if (zones_add(c->settings->zones, &apex, &soa, &zone)) {
        COMPLAIN(c, "name", 0, "a second zone \"%s\"", row->name);
    }
    return zone;
}

static void compile_zone(struct compiler *c, const struct zone_row *row, struct zone *zone)
{
    add_nameservers(c, row, zone);
    for (size_t i = 0; i < row->name_count; i++) {
        const struct conf_at *outer = enter(c, "names", i);
        compile_name(c, row, zone, &row->names[i]);
        leave(c, outer);
    }
}

/* A name server below the zone it serves cannot be found without its address (RFC 1034 4.2.2).
 * The address may stand in the parent zone alone, so this is no error. */
static void check_glue(const struct zones *zones, const struct zone_row *row)
{
    for (size_t i = 0; i < row->nameserver_count; i++) {
        struct name host;
        CHECK(name_parse_absolute(span_str(row->nameservers[i]), &host) == 0);
        struct zone_hit hit = zones_find(zones, &host);
        if (hit.match == ZONE_NO_NAME ||
            (hit.match == ZONE_NODE && !hit.node->policy && !rrset_find(hit.node->sets, TYPE_A) &&
             !rrset_find(hit.node->sets, TYPE_AAAA))) {
            log_warn("nameserver_without_address", "zone=%s nameserver=%s", row->name,
                     row->nameservers[i]);
        }
    }
}

/* All zones are there before any name is, so that each name finds the one it belongs to. */
static void compile_zones(struct compiler *c)
{
    struct settings *s = c->settings;
    struct zone **zones = arena_zalloc(c->arena, s->zone_count * sizeof(struct zone *));

    s->zones = zones_new();
    for (size_t i = 0; i < s->zone_count; i++) {
        const struct conf_at *outer = enter(c, "zones", i);
        zones[i] = add_zone(c, &s->zone_rows[i]);
        leave(c, outer);
    }
    for (size_t i = 0; i < s->zone_count && !c->failed; i++) {
        const struct conf_at *outer = enter(c, "zones", i);
        compile_zone(c, &s->zone_rows[i], zones[i]);
        leave(c, outer);
    }
    zones_freeze(s->zones);
    for (size_t i = 0; i < s->zone_count && !c->failed; i++) {
        check_glue(s->zones, &s->zone_rows[i]);
    }
}

/* A row of nearest.map, by its prefix. */
struct mapped {
    struct map_link link;
    const struct prefix *prefix;
};

static bool is_mapped(struct map *mapped, struct arena *arena, const struct prefix *prefix)
{
    uint64_t hash = sip_hash64(&replica_key, span_of(&prefix->ip, sizeof(prefix->ip)));

    for (struct map_link *at = map_first(mapped, hash); at; at = map_next(at)) {
        const struct prefix *other = container_of(at, struct mapped, link)->prefix;
        if (other->bits == prefix->bits && ip_eq(&other->ip, &prefix->ip)) {
            return true;
        }
    }
    struct mapped *entry = arena_alloc(arena, sizeof(*entry));
    entry->prefix = prefix;
    map_insert(mapped, &entry->link, hash);
    return false;
}

static void check_map(struct compiler *c)
{
    const struct conf_at *outer = enter(c, "nearest", 0);
    struct map mapped;

    map_init(&mapped, c->settings->map_count);
    for (size_t i = 0; i < c->settings->map_count; i++) {
        const struct map_row *row = &c->settings->map_rows[i];
        const struct conf_at *nearest = enter(c, "map", i);
        if (is_mapped(&mapped, c->arena, &row->prefix)) {
            COMPLAIN(c, "prefix", 0, "stands in the map twice; expected each prefix once");
        }
        for (size_t n = 0; n < row->replica_count; n++) {
            find_replica(c, "replica", n, row->replicas[n]);
        }
        leave(c, nearest);
    }
    map_fini(&mapped);
    leave(c, outer);
}

void compile_settings(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct compiler c = {.settings = bound, .arena = arena, .at = at};

    c.record = xmalloc(sizeof(*c.record));
    compile_replicas(&c);
    if (!c.failed) {
        compile_zones(&c);
        check_map(&c);
    }
    free(c.record);
}

static unsigned known_replica(const struct settings *s, const char *name)
{
    unsigned id = 0;

    while (strcmp(s->replicas[id].name, name) != 0) {
        id++;
    }
    return id;
}

int compile_nearest(struct settings *s, struct buf *errors)
{
    struct nearest_builder *builder = nearest_builder_new(s->memory, s->replicas, s->replica_count);
    uint16_t ids[REPLICAS_MAX];
    int err = 0;

    if (s->map_file) {
        err = nearest_add_file(builder, s->map_file, errors);
    }
    for (size_t i = 0; i < s->map_count && !err; i++) {
        const struct map_row *row = &s->map_rows[i];
        size_t count = row->replica_count < REPLICAS_MAX ? row->replica_count : REPLICAS_MAX;
        for (size_t n = 0; n < count; n++) {
            ids[n] = (uint16_t)known_replica(s, row->replicas[n]);
        }
        nearest_add(builder, &row->prefix, ids, count);
    }
    if (!err && s->geoip) {
        err = nearest_add_geo(builder, s->geoip, errors);
    }
    if (!err) {
        err = nearest_build(builder, errors, &s->nearest);
    }
    nearest_builder_free(&builder);
    return err;
}
