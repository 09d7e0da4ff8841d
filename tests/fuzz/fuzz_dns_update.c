/* An update to a zone with names that are open for it, and others: what is applied leaves a store
 * whose records can all be read, what is not leaves a code, and every answer is a message. */
#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/zone/update.h"

#define NAMES_MAX 512

static struct zones *zones;
static struct tsig_key key;

static struct {
    struct name name;
    struct span records;
} names[NAMES_MAX];
static size_t name_count;

static size_t place_of(const struct name *name)
{
    size_t i = 0;

    while (i < name_count && !name_eq(&names[i].name, name)) {
        i++;
    }
    return i;
}

static struct span get(void *arg, const struct name *name)
{
    size_t i = place_of(name);
    return i < name_count ? names[i].records : SPAN_EMPTY;
}

static int put(void *arg, const struct name *name, struct span records)
{
    size_t i = place_of(name);

    CHECK(i < NAMES_MAX);
    if (i == name_count) {
        name_count++;
        names[i].name = *name;
        names[i].records = SPAN_EMPTY;
    }
    char *copy = records.len ? xspandup(records) : NULL;
    char *old;
    memcpy(&old, &names[i].records.at, sizeof(old)); /* not const: it is ours */
    free(old);
    names[i].records = span_of(copy, records.len);
    return 0;
}

static void add_name(struct zone *zone, const char *text, const struct update_rule *rule)
{
    struct record *record = xcalloc(1, sizeof(*record));
    struct name name;
    const char *what;

    CHECK(name_parse(span_str(text), &zone->apex, &name) == 0);
    if (rule) {
        CHECK(zone_add_update(zones, zone, &name, rule, &what) == 0);
    } else {
        CHECK(record_parse(SPAN("A 192.0.2.1"), &zone->apex, record, &what) == 0);
        CHECK(zone_add_record(zones, zone, &name, record, &what) == 0);
    }
    free(record);
}

static void make_zones(void)
{
    static const struct tsig_key *keys[] = {&key};
    static const struct update_rule addresses = {.types = {[UPDATE_A] = true, [UPDATE_AAAA] = true},
                                                 .max_records = 3,
                                                 .max_ttl = 60,
                                                 .keys = keys,
                                                 .key_count = 1};
    static const struct update_rule all = {
        .types = {true, true, true, true}, .max_records = 4, .keys = keys, .key_count = 1};
    struct soa soa = {.mname = {.len = 1}, .rname = {.len = 1}};
    struct name apex;
    struct zone *zone;

    zones = zones_new();
    CHECK(name_parse_absolute(SPAN("ex"), &apex) == 0);
    CHECK(zones_add(zones, &apex, &soa, &zone) == 0);
    add_name(zone, "ns", NULL);
    add_name(zone, "d", &addresses);
    add_name(zone, "c", &all);
    add_name(zone, "*.w", &all);
    zones_freeze(zones);
}

static void check_store(void)
{
    for (size_t i = 0; i < name_count; i++) {
        struct span records = names[i].records;
        struct wire_in in = wire_in_of(records.at ? records.at : "", records.len);
        struct dynamic_record record;
        size_t count = 0;
        while (dynamic_next(&in, &record)) {
            count++;
        }
        CHECK(!in.failed && count <= 4);
    }
}

static void forget(void)
{
    while (name_count) {
        put(NULL, &names[name_count - 1].name, SPAN_EMPTY);
        name_count--;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct update_store store = {get, put, NULL};
    static const struct tsig_reply none = {.len = 0};
    struct span packet = span_of(data, size);
    uint8_t room[UPDATE_REPLY_MAX];
    struct update update;
    struct query echo;
    bool changed = false;

    if (!zones) {
        make_zones();
    }
    update_is(packet);
    int rcode = size < 65536 ? update_read(packet, &update) : -1;
    if (rcode == RCODE_NOERROR) {
        rcode = (int)update_check(zones, packet, &update, &key);
    }
    if (rcode == RCODE_NOERROR) {
        rcode = (int)update_apply(zones, packet, &update, &store, &changed);
        check_store();
        CHECK(changed || name_count == 0);
    }
    if (rcode >= 0) {
        size_t len = update_reply(&update, (unsigned)rcode, NULL, &none, 0, room);
        CHECK(len >= DNS_HEADER_LEN && (room[2] & 0x80) && (room[3] & 15) == (rcode & 15));
        room[2] &= 0x7f;
        CHECK(message_read(span_of(room, len), &echo) >= 0);
    }
    forget();
    return 0;
}
