#include "dnsredir/config/compile.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "dnsredir/config/compile_parts.h"
#include "dnsredir/config/directives_dnssec.h"
#include "dnsredir/config/directives_proto.h"
#include "dnsredir/config/directives_resolver.h"
#include "dnsredir/config/pattern.h"
#include "dnsredir/zone/denial.h"

#include <stdio.h>
#include <time.h>

#define NAMES_MAX 1000000

static const struct sip_key
    replica_key; /* constant, because all servers must compute the same hashes */

/* The host name to give instead of the replica's addresses, or NULL. */
static const struct name *compile_target(struct compiler *c, size_t replica)
{
    const char *text = c->settings->replica_rows[replica].target;

    if (!text) {
        return NULL;
    }
    struct name *name = arena_alloc(c->arena, sizeof(*name));
    if (name_parse_absolute(span_str(text), name)) {
        const struct conf_at *outer = compile_enter(c, "replicas", replica);
        COMPLAIN(c, "target", 0,
                 "\"%s\" is not a domain name; expected one such as www.example.net", text);
        compile_leave(c, outer);
        /* any name will do, as loading fails; without one the replica would have neither name nor
         * addresses */
        *name = (struct name){.len = 1};
    }
    return name;
}

/* False: there are no replicas with which zones could be checked. */
static bool compile_replicas(struct compiler *c)
{
    struct settings *s = c->settings;

    if (s->replica_count > REPLICAS_MAX) {
        COMPLAIN(c, "replicas", 0, "too many; expected at most %d", REPLICAS_MAX);
        return false;
    }
    c->whole_replicas = true;
    s->replicas = arena_zalloc(c->arena, s->replica_count * sizeof(*s->replicas));
    for (size_t i = 0; i < s->replica_count; i++) {
        const struct replica_row *row = &s->replica_rows[i];
        s->replicas[i] = (struct replica){
            .name = row->name,
            .addresses = row->addresses,
            .address_count = row->address_count,
            .target = compile_target(c, i),
            .has_location = row->location_count == 2,
            .latitude = row->location_count ? row->location[0] : 0,
            .longitude = row->location_count ? row->location[1] : 0,
            .hash = sip_hash64(&replica_key, span_str(row->name)),
        };
        c->whole_replicas = c->whole_replicas && compile_is_whole(c, "replicas", i);
        for (size_t before = 0; row->name && before < i; before++) {
            if (span_eq(span_str(row->name), span_str(s->replicas[before].name))) {
                COMPLAIN(c, "replicas", i,
                         "a second replica called \"%s\"; expected each name once", row->name);
            }
        }
    }
    return true;
}

/* The end of an error message, "; expected …", unless `what` already says what was expected. */
static const char *expected_of(const char *what, const char *expected)
{
    static _Thread_local char text[128];

    snprintf(text, sizeof(text), "; expected %s", expected);
    return strstr(what, "expected") ? "" : text;
}

/* Adds record `index` of a row. It is parsed for each owner, because names in it are relative to
 * the zone. */
static int add_record(struct compiler *c, const struct zone_row *zone_row, struct zone *zone,
                      const struct name_row *row, const struct name *owner, size_t index,
                      const char **what)
{
    if (record_parse(span_str(row->records[index]), &zone->apex, c->record, what)) {
        return ERR_SYNTAX;
    }
    if (!c->record->has_ttl) {
        c->record->ttl = row->has_ttl ? row->ttl : zone_row->ttl;
    }
    return zone_add_record(c->settings->zones, zone, owner, c->record, what);
}

/* Adds one name of a row with its policy and records. False: an error was reported. */
static bool add_name(struct compiler *c, const struct zone_row *zone_row, struct zone *zone,
                     const struct name_row *row, const struct update_rule *rule, struct span text)
{
    struct zones *zones = c->settings->zones;
    struct name owner;
    const char *what = "not a domain name";
    size_t added = 0;
    int err = name_parse(text, &zone->apex, &owner);

    if (!err && zone->signing && !denial_allows(&owner)) {
        what = "the byte 255 cannot be in a name of a signed zone";
        err = ERR_SYNTAX;
    }
    if (!err && row->compiled) {
        err = zone_add_policy(zones, zone, &owner, row->compiled, &what);
    }
    while (!err && added < row->record_count) {
        err = add_record(c, zone_row, zone, row, &owner, added, &what);
        added++;
    }
    bool at_record = err && added && !span_starts(span_str(what), SPAN("the name "));
    if (!err && rule) {
        err = zone_add_update(zones, zone, &owner, rule, &what);
    }
    if (err) {
        COMPLAIN(c, at_record ? "records" : "name", at_record ? added - 1 : 0, "\"%.*s\": %s%s",
                 SPAN_ARGS(text), what, expected_of(what, "another name, or other records"));
    }
    return !err;
}

static void compile_name(struct compiler *c, const struct zone_row *zone_row, struct zone *zone,
                         struct name_row *row)
{
    struct pattern pattern;
    char text[PATTERN_TEXT_MAX];
    const struct update_rule *rule = row->has_update ? compile_update(c, &row->update) : NULL;
    const char *what;

    if (row->steered) {
        row->compiled = compile_policy(c, row);
    }
    if ((row->steered && !row->compiled) || (row->has_update && !rule) ||
        pattern_parse(span_str(row->name), &pattern, &what)) {
        return;
    }
    if (zones_name_count(c->settings->zones) + pattern.name_count > NAMES_MAX) {
        COMPLAIN(c, "name", 0, "more than %d names in all zones; expected fewer", NAMES_MAX);
        return;
    }
    for (uint32_t n = 0; n < pattern.name_count; n++) {
        if (!add_name(c, zone_row, zone, row, rule, pattern_name(&pattern, n, text))) {
            return;
        }
    }
}

/* Parses a domain name that must be absolute. */
static bool whole_name(struct compiler *c, const char *directive, size_t index, const char *text,
                       struct name *out)
{
    if (name_parse_absolute(span_str(text), out) == 0) {
        return true;
    }
    COMPLAIN(c, directive, index,
             "\"%s\" is not a domain name; expected one such as www.example.net", text);
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
        if (!row->nameservers[i] || !whole_name(c, "nameservers", i, row->nameservers[i], &host)) {
            return;
        }
        c->record->type = TYPE_NS;
        c->record->ttl = row->ttl;
        c->record->len = host.len;
        memcpy(c->record->data, host.at, host.len);
        if (zone_add_record(c->settings->zones, zone, &zone->apex, c->record, &what)) {
            COMPLAIN(c, "nameservers", i, "%s%s", what, expected_of(what, "fewer of them"));
            return;
        }
    }
}

/* NULL: an error was reported, here or while binding. */
static struct zone *add_zone(struct compiler *c, const struct zone_row *row)
{
    struct zone *zone = NULL;
    struct name apex;
    struct soa soa;

    if (!row->name || row->nameserver_count == 0 || !row->nameservers[0]) {
        return NULL;
    }
    if (!whole_name(c, "name", 0, row->name, &apex) || !compile_soa(c, row, &apex, &soa)) {
        return NULL;
    }
    if (zones_add(c->settings->zones, &apex, &soa, &zone)) {
        COMPLAIN(c, "name", 0, "a second zone \"%s\"; expected each zone once", row->name);
    }
    return zone;
}

static void compile_zone(struct compiler *c, const struct zone_row *row, struct zone *zone)
{
    add_nameservers(c, row, zone);
    compile_signing(c, row, zone);
    for (size_t i = 0; i < row->name_count; i++) {
        const struct conf_at *outer = compile_enter(c, "names", i);
        if (conf_is_whole(c->at)) {
            compile_name(c, row, zone, &row->names[i]);
        }
        compile_leave(c, outer);
    }
}

void compile_each_name(struct compiler *c, const struct zone_row *zone, compile_name_check *check)
{
    struct name apex, owner;
    struct pattern pattern;
    char text[PATTERN_TEXT_MAX];
    const char *what;

    if (name_parse_absolute(span_str(zone->name), &apex)) {
        return;
    }
    for (size_t i = 0; i < zone->name_count; i++) {
        const struct name_row *row = &zone->names[i];
        const struct conf_at *outer = compile_enter(c, "names", i);
        if (pattern_parse(span_str(row->name), &pattern, &what) == 0 &&
            name_parse(pattern_name(&pattern, 0, text), &apex, &owner) == 0) {
            check(c, row, &apex, &owner);
        }
        compile_leave(c, outer);
    }
}

/* Reports a name server below its own zone whose address is not known here: it can only be found if
 * the parent zone has the address as glue (RFC 1034 4.2.2), so this is no error. */
static void check_glue(struct compiler *c, const struct zone_row *row)
{
    const struct zones *zones = c->settings->zones;

    for (size_t i = 0; i < row->nameserver_count; i++) {
        struct name host;
        CHECK(name_parse_absolute(span_str(row->nameservers[i]), &host) == 0);
        struct zone_hit hit = zones_find(zones, &host);
        if (hit.match == ZONE_NO_NAME ||
            (hit.match == ZONE_NODE && !hit.node->policy && !rrset_find(hit.node->sets, TYPE_A) &&
             !rrset_find(hit.node->sets, TYPE_AAAA))) {
            conf_remark(c->at, "nameservers", i,
                        "the name server %s has no address here; its parent zone must know one",
                        row->nameservers[i]);
        }
    }
}

/* Were all zones, names and replicas compiled? Otherwise names may be missing only because of
 * another error. */
static bool are_whole(struct compiler *c)
{
    for (size_t i = 0; i < c->settings->zone_count; i++) {
        if (!compile_is_whole(c, "zones", i)) {
            return false;
        }
    }
    return true;
}

/* Creates all zones before adding names, so that each name finds the zone that it belongs to. */
static void compile_zones(struct compiler *c)
{
    struct settings *s = c->settings;
    struct zone **zones = arena_zalloc(c->arena, s->zone_count * sizeof(struct zone *));

    s->zones = zones_new();
    for (size_t i = 0; i < s->zone_count; i++) {
        const struct conf_at *outer = compile_enter(c, "zones", i);
        zones[i] = add_zone(c, &s->zone_rows[i]);
        compile_leave(c, outer);
    }
    for (size_t i = 0; i < s->zone_count; i++) {
        const struct conf_at *outer = compile_enter(c, "zones", i);
        if (zones[i]) {
            compile_zone(c, &s->zone_rows[i], zones[i]);
        }
        compile_leave(c, outer);
    }
    zones_freeze(s->zones);
    bool whole = are_whole(c);
    for (size_t i = 0; i < s->zone_count; i++) {
        const struct conf_at *outer = compile_enter(c, "zones", i);
        if (zones[i] && whole) {
            compile_check_delegations(c, &s->zone_rows[i]);
            compile_check_aliases(c, &s->zone_rows[i]);
        }
        compile_leave(c, outer);
    }
    for (size_t i = 0; i < s->zone_count && !c->failed; i++) {
        const struct conf_at *outer = compile_enter(c, "zones", i);
        check_glue(c, &s->zone_rows[i]);
        compile_leave(c, outer);
    }
}

void compile_settings(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct compiler c = {.settings = bound, .arena = arena, .at = at, .failed = !conf_is_whole(at)};

    compile_identity(c.settings, c.arena);
    c.record = xmalloc(sizeof(*c.record));
    compile_check_open(&c);
    compile_check_state(&c);
    compile_check_log(&c);
    compile_keys(&c);
    if (compile_replicas(&c)) {
        compile_zones(&c);
        compile_check_maps(&c);
        compile_resolver(&c);
    }
    free(c.record);
}
