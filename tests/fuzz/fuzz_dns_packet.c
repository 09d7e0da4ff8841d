/* A packet to a redirector with wildcards, delegations, chains and steered names, which signs, has
 * cookies, an identifier and limits: every response must be a response, within its limit, not
 * larger than the query when limits shorten it, and not fool our own reader. */
#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/resolver/resolved.h"
#include "dnsredir/zone/dnssec.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct view view;
static struct standing standing = {.open = {{3}}, .alive = {{3}}};

static void add(struct zones *zones, struct zone *zone, const char *owner, const char *text)
{
    struct record *record = xcalloc(1, sizeof(*record));
    struct name name;
    const char *what;

    record->ttl = 60;
    CHECK(name_parse(span_str(owner), &zone->apex, &name) == 0);
    CHECK(record_parse(span_str(text), &zone->apex, record, &what) == 0);
    CHECK(zone_add_record(zones, zone, &name, record, &what) == 0);
    free(record);
}

/* A key of its own for each run. */
static void sign_zone(struct zone *zone)
{
    static struct signing signing = {.key_count = 1, .validity = 86400};
    char dir[] = "/tmp/larder-fuzz-XXXXXX";
    char path[sizeof(dir) + 4];
    char fault[DNSSEC_FAULT_MAX];

    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/key", dir);
    CHECK(dnssec_key_make(path, fault) == 0 && dnssec_key_load(path, &signing.keys[0], fault) == 0);
    unlink(path);
    rmdir(dir);
    signing.apex = zone->apex;
    zone->signing = &signing;
}

/* Everybody may ask for everything, and some of it is redirected. */
static struct recursion *make_recursion(struct arena *arena, const struct replica *replicas)
{
    static const struct prefix everybody;
    static struct redirect_rule rule;
    struct recursion *recursion = recursion_new(arena, &everybody, 1, replicas, 2);
    struct policy_plan plan = {
        .kind = POLICY_STATIC, .ttl = 1, .members = (const uint16_t[]){1}, .member_count = 1};
    struct name pattern;

    rule.policy = policy_new(arena, &plan, replicas, 2);
    CHECK(name_parse_absolute(SPAN("*.example"), &pattern) == 0);
    CHECK(recursion_redirect_add(arena, recursion, &pattern, &rule) == 0);
    return recursion;
}

static void make_view(void)
{
    static struct arena arena;
    static struct ip addresses[] = {{{[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 1}}};
    static const struct replica replicas[] = {{.addresses = addresses, .address_count = 1},
                                              {.addresses = addresses, .address_count = 1}};
    static const struct ranking *rankings[2];
    struct netmap_entry entry = {{addresses[0], 112}, 1};
    struct ranking *ranking = xcalloc(1, sizeof(*ranking) + 2 * sizeof(uint16_t));
    struct zones *zones = zones_new();
    struct name apex, www;
    struct soa soa = {.mname = {.len = 1}, .rname = {.len = 1}};
    struct zone *zone;
    const char *what;

    arena_init(&arena, NULL, 0);
    CHECK(name_parse_absolute(SPAN("ex"), &apex) == 0 && name_parse(SPAN("www"), &apex, &www) == 0);
    CHECK(zones_add(zones, &apex, &soa, &zone) == 0);
    add(zones, zone, "@", "NS ns");
    add(zones, zone, "ns", "A 192.0.2.1");
    add(zones, zone, "*.w", "TXT wild");
    add(zones, zone, "c", "CNAME www");
    add(zones, zone, "l", "CNAME l");
    add(zones, zone, "o", "CNAME a.b.");
    add(zones, zone, "m", "MX 1 a.b.c.d");
    add(zones, zone, "m", "MX 2 ns");
    add(zones, zone, "m", "MX 3 ns.sub");
    add(zones, zone, "h", "HTTPS 1 . alpn=h2");
    add(zones, zone, "h", "A 192.0.2.2");
    add(zones, zone, "to", "HTTPS 0 h");
    add(zones, zone, "s", "SRV 1 1 1 ns");
    add(zones, zone, "s", "SRV 1 1 2 ns");
    add(zones, zone, "sub", "NS ns.sub");
    add(zones, zone, "ns.sub", "AAAA ::1");
    struct policy_plan plan = {.kind = POLICY_NEAREST,
                               .answers = 2,
                               .ttl = 30,
                               .members = (const uint16_t[]){0, 1},
                               .member_count = 2};
    CHECK(zone_add_policy(zones, zone, &www, policy_new(&arena, &plan, replicas, 2), &what) == 0);
    sign_zone(zone);
    zones_freeze(zones);
    ranking->count = ranking->listed = 2;
    ranking->ids[1] = 1;
    rankings[0] = rankings[1] = ranking;
    static struct rrset version = {.type = TYPE_TXT, .count = 1};
    static uint8_t wire[] = "\xc0\x0c\0\x10\0\3\0\0\0\0\0\2\1v";
    version.wire = wire;
    version.len = sizeof(wire) - 1;
    static struct identity identity = {
        .cookies = {2, {{1, 2}, {3, 4}}}, .nsid = SPAN_INIT("fuzz"), .version = &version};
    static const struct rate_limit rates = {.responses = 1, .errors = 1, .slip = 1};
    static const struct signatures_plan ahead = {.most = 64, .rate = 1000000};
    view = (struct view){
        .zones = zones,
        .nearest = netmap_new(&entry, 1, NULL, 0),
        .rankings = rankings,
        .standing = &standing,
        .identity = &identity,
        .rates = &rates,
        .signatures = signatures_new(zones, &ahead),
        .recursion = make_recursion(&arena, replicas),
    };
}

/* What was left to the resolver is answered when that has failed. */
static size_t answer_deferred(const struct client *client, const struct answer_note *so_far,
                              struct span packet, void *room, struct answer_note *note)
{
    struct resolution failed = {.rcode = RCODE_SERVFAIL, .ede = EDE_NONE};
    struct unresolved *query = unresolved_new(client, client->deferral, so_far, packet, room);
    size_t len = resolved_write(query, &failed, room, NULL, note);

    CHECK(len > 0);
    free(query);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[DNS_MESSAGE_MAX];
    static struct limiter *limiter;
    static struct signer *signer;
    struct client client = {
        .tcp = size % 2,
        .turn = (uint32_t)size,
        .keepalive = 100,
        .now_us = 1000000, /* time stands still: the second of each kind is one too many */
    };
    struct deferral deferral;
    struct answer_note note;

    if (!view.zones) {
        make_view();
        limiter = limiter_new();
        signer = signer_new();
    }
    client.limiter = size % 4 ? NULL : limiter;
    client.signer = size % 8 ? signer : NULL;
    client.deferral = size % 3 ? &deferral : NULL;
    size_t len = answer(&view, &client, span_of(data, size), room, &note);
    if (note.deferred) {
        struct answer_note so_far = note;
        len = answer_deferred(&client, &so_far, span_of(data, size), room, &note);
    }
    if (len) {
        struct query echo;
        CHECK(len >= DNS_HEADER_LEN && (client.tcp || len <= DNS_UDP_MAX));
        CHECK(note.limited != LIMIT_SLIP || note.rcode != RCODE_NOERROR || len <= size + 64);
        CHECK(room[0] == data[0] && room[1] == data[1] && (room[2] & 0x80));
        room[2] &= 0x7f;
        query_read(span_of(room, len), &echo);
        struct wire_in in = wire_in_of(data, size);
        in.at += size % DNS_HEADER_LEN;
        name_read(&in, &echo.name);
    }
    return 0;
}
