#include "dialogue.h"
#include "nsupdate.h"

#include "base/err.h"
#include "base/mem.h"
#include "dnsredir/counters.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SECRET "secret: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='"
#define CONFIG                                                                                     \
    "state: /tmp/unused\n"                                                                         \
    "keys: [{name: k, " SECRET "}, {name: other, " SECRET "}]\n"                                   \
    "replicas: [{name: fra, addresses: 192.0.2.10}]\n"                                             \
    "zones:\n"                                                                                     \
    "  - name: ex\n"                                                                               \
    "    nameservers: ns.ex\n"                                                                     \
    "    soa: {serial: 7}\n"                                                                       \
    "    names:\n"                                                                                 \
    "      - {name: ns, records: [\"A 192.0.2.53\"]}\n"                                            \
    "      - {name: www, policy: static}\n"                                                        \
    "      - {name: to, records: [\"CNAME d\"]}\n"                                                 \
    "      - {name: d, update: {keys: k, max-records: 3, max-ttl: 10min}}\n"                       \
    "      - {name: t, records: [\"A 192.0.2.9\"], update: {keys: [k, other], types: TXT}}\n"      \
    "      - {name: c, update: {keys: k, types: [A, CNAME, TXT]}}\n"                               \
    "      - {name: '*.w', update: {keys: k}}\n"                                                   \
    "      - {name: l, update: {keys: k, types: [A, TXT], max-records: 64}}\n"                     \
    "      - {name: sub, records: [\"NS ns.other.\"]}\n"                                           \
    "      - {name: back, records: [\"CNAME c\"]}\n"                                               \
    "      - {name: '*.star', records: [\"CNAME c\"]}\n"                                           \
    "  - {name: in.ex, nameservers: ns.ex}\n"

static const char *rcode_text(unsigned rcode)
{
    return counters_rcode(rcode);
}

/* Checks and applies a message. */
static unsigned run(const struct settings *s, struct span packet, const char *key_name,
                    struct dynamic_memory *memory)
{
    const struct tsig_key *key = NULL;
    struct dynamic_memory *undo = xmalloc(sizeof(*undo));
    struct update update;
    struct name name;
    bool changed;

    *undo = *memory;
    if (key_name) {
        cr_assert_eq(name_parse_absolute(span_str(key_name), &name), 0);
        key = tsig_key_find(&s->identity.keys, &name);
        cr_assert_not_null(key);
    }
    int rcode = update_read(packet, &update);
    cr_assert_geq(rcode, 0);
    if (rcode == RCODE_NOERROR) {
        rcode = (int)update_check(s->zones, packet, &update, key);
    }
    if (rcode == RCODE_NOERROR) {
        struct update_store store = dynamic_memory_store(memory);
        rcode = (int)update_apply(s->zones, packet, &update, &store, &changed);
        if (rcode != RCODE_NOERROR) {
            *memory = *undo;
        }
    }
    free(undo);
    return (unsigned)rcode;
}

struct row {
    const char *what, *text, *rcode, *then; /* `then`: all that is dynamic; NULL: as before */
};

/* One after the other, on what the ones before have left. */
static void run_rows(const struct row *rows, size_t count)
{
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;
    uint8_t room[4096];
    char before[4096] = "";

    dialogue_init(&d, CONFIG);
    for (size_t i = 0; i < count; i++) {
        size_t len = nsupdate_write("ex", rows[i].text, room, sizeof(room));
        unsigned rcode = run(d.settings, span_of(room, len), "k", memory);
        const char *then = dynamic_memory_text(memory);
        cr_expect_str_eq(rcode_text(rcode), rows[i].rcode, "%s: %s instead of %s", rows[i].what,
                         rcode_text(rcode), rows[i].rcode);
        cr_expect_str_eq(then, rows[i].then ? rows[i].then : before, "%s: %s", rows[i].what, then);
        snprintf(before, sizeof(before), "%s", then);
    }
    dialogue_fini(&d);
    free(memory);
}

Test(update, changes_rfc2136_3_4_2)
{
    static const struct row rows[] = {
        {"one is added", "add d 60 A 192.0.2.1", "NOERROR", "d.ex. 60 A 192.0.2.1"},
        {"again: nothing new", "add d 60 A 192.0.2.1", "NOERROR", NULL},
        {"another one moves the ttl of both", "add d 30 A 192.0.2.2", "NOERROR",
         "d.ex. 30 A 192.0.2.1, 30 A 192.0.2.2"},
        {"a long ttl is cut", "add d 86400 AAAA 2001:db8::1", "NOERROR",
         "d.ex. 30 A 192.0.2.1, 30 A 192.0.2.2, 600 AAAA 2001:db8::1"},
        {"more than max-records", "add d 30 A 192.0.2.3", "REFUSED", NULL},
        {"all or nothing", "add d.w 30 A 192.0.2.3; add d 30 A 192.0.2.3", "REFUSED", NULL},
        {"one for another", "del d A 192.0.2.1; add d 30 A 192.0.2.3", "NOERROR",
         "d.ex. 30 A 192.0.2.2, 30 A 192.0.2.3, 600 AAAA 2001:db8::1"},
        {"what is not there", "del d A 192.0.2.99; del c; del a.w A", "NOERROR", NULL},
        {"a set", "del d A", "NOERROR", "d.ex. 600 AAAA 2001:db8::1"},
        {"a name", "del d", "NOERROR", ""},
        {"in order", "add d 9 A 192.0.2.1; del d; add d 8 A 192.0.2.2", "NOERROR",
         "d.ex. 8 A 192.0.2.2"},
        {"below a wildcard", "add a.w 5 A 192.0.2.5; add b.a.w 5 A 192.0.2.6", "NOERROR",
         "a.w.ex. 5 A 192.0.2.5; b.a.w.ex. 5 A 192.0.2.6; d.ex. 8 A 192.0.2.2"},
        {"beside what is written", "add t 5 TXT \"a b\" c", "NOERROR",
         "a.w.ex. 5 A 192.0.2.5; b.a.w.ex. 5 A 192.0.2.6; d.ex. 8 A 192.0.2.2; t.ex. 5 TXT \"a b\" "
         "\"c\""},
        {"all that may go goes", "del t; del a.w; del b.a.w; del d", "NOERROR", ""},
        {"a CNAME", "add c 60 CNAME D", "NOERROR", "c.ex. 60 CNAME d.ex."},
        {"replaces another", "add c 60 CNAME ns", "NOERROR", "c.ex. 60 CNAME ns.ex."},
        {"keeps others away", "add c 60 A 192.0.2.1; add c 60 TXT x", "NOERROR", NULL},
        {"and is kept away", "del c; add c 60 A 192.0.2.1; add c 60 CNAME d", "NOERROR",
         "c.ex. 60 A 192.0.2.1"},
        {"nothing to do", "", "NOERROR", NULL},
    };

    run_rows(rows, ARRAY_LEN(rows));
}

Test(update, prerequisites_rfc2136_3_2)
{
    static const struct row rows[] = {
        {"the name is free", "nx d; add d 60 A 192.0.2.1", "NOERROR", "d.ex. 60 A 192.0.2.1"},
        {"and no longer", "nx d; add d 60 A 192.0.2.2", "YXDOMAIN", NULL},
        {"in use", "yx d; add d 60 A 192.0.2.2", "NOERROR", "d.ex. 60 A 192.0.2.1, 60 A 192.0.2.2"},
        {"not in use", "yx c; add c 60 A 192.0.2.2", "NXDOMAIN", NULL},
        {"a set is there", "yx d A", "NOERROR", NULL},
        {"none of the type", "yx d AAAA", "NXRRSET", NULL},
        {"no set", "nx d AAAA", "NOERROR", NULL},
        {"but there is", "nx d A", "YXRRSET", NULL},
        {"just this set", "yx d A 192.0.2.2; yx d A 192.0.2.1; yx d A 192.0.2.2", "NOERROR", NULL},
        {"less than there is", "yx d A 192.0.2.1", "NXRRSET", NULL},
        {"more than there is", "yx d A 192.0.2.1; yx d A 192.0.2.2; yx d A 192.0.2.3", "NXRRSET",
         NULL},
        {"another one", "yx d A 192.0.2.1; yx d A 192.0.2.3", "NXRRSET", NULL},
        {"of two names", "yx d A 192.0.2.1; yx ns A 192.0.2.53; yx d A 192.0.2.2", "NOERROR", NULL},
        {"what is written counts", "yx ns; yx ns A; nx ns AAAA; yx ns A 192.0.2.53", "NOERROR",
         NULL},
        {"names are without case", "yx to CNAME D.EX.; yx TO", "NOERROR", NULL},
        {"what a policy makes is there", "yx www; yx www A; nx www AAAA", "NOERROR", NULL},
        {"but is no set", "yx www A 192.0.2.10", "NXRRSET", NULL},
        {"the zone is there", "yx @ SOA; yx @ NS ns", "NOERROR", NULL},
        {"wildcards stand for nothing", "nx q.w; nx w", "NOERROR", NULL},
        {"the first that fails", "yx d; yx c; nx d", "NXDOMAIN", NULL},
    };

    run_rows(rows, ARRAY_LEN(rows));
}

Test(update, what_is_refused)
{
    static const struct {
        const char *what, *key, *zone, *text, *rcode;
    } cases[] = {
        {"unsigned", NULL, "ex", "add d 60 A 192.0.2.1", "REFUSED"},
        {"another's key", "other", "ex", "add d 60 A 192.0.2.1", "REFUSED"},
        {"its own", "other", "ex", "add t 60 TXT x", "NOERROR"},
        {"a type that is not opened", "k", "ex", "add d 60 TXT x", "REFUSED"},
        {"nor for deleting", "k", "ex", "del d TXT", "REFUSED"},
        {"what is written", "k", "ex", "del t A", "REFUSED"},
        {"a name that is not opened", "k", "ex", "add ns 60 A 192.0.2.1", "REFUSED"},
        {"a name that is not there", "k", "ex", "add new 60 A 192.0.2.1", "REFUSED"},
        {"the wildcard itself", "k", "ex", "add *.w 60 A 192.0.2.1", "REFUSED"},
        {"below a delegation", "k", "ex", "add d.sub 60 A 192.0.2.1", "REFUSED"},
        {"the zone's own", "k", "ex", "del @ NS", "REFUSED"},
        {"one of two", "k", "ex", "add d 60 A 192.0.2.1; add ns 60 A 192.0.2.1", "REFUSED"},
        {"no zone of ours", "k", "example", "", "NOTAUTH"},
        {"a name, but no zone", "k", "d.ex", "add @ 60 A 192.0.2.1", "NOTAUTH"},
        {"outside the zone", "k", "ex", "add d.example. 60 A 192.0.2.1", "NOTZONE"},
        {"in another of ours", "k", "ex", "add d.in 60 A 192.0.2.1", "NOTZONE"},
        {"a prerequisite outside", "k", "ex", "nx d.example.", "NOTZONE"},
        {"a question's type", "k", "ex", "del d AXFR", "FORMERR"},
        {"in a prerequisite", "k", "ex", "yx d AXFR", "FORMERR"},
    };
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;
    uint8_t room[4096];

    dialogue_init(&d, CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = nsupdate_write(cases[i].zone, cases[i].text, room, sizeof(room));
        unsigned rcode = run(d.settings, span_of(room, len), cases[i].key, memory);
        cr_expect_str_eq(rcode_text(rcode), cases[i].rcode, "%s: %s", cases[i].what,
                         rcode_text(rcode));
    }
    cr_expect_str_eq(dynamic_memory_text(memory), "t.ex. 60 TXT \"x\"");
    dialogue_fini(&d);
    free(memory);
}

/* Bytes behind the zone of "ex": one prerequisite or one change. */
Test(update, malformed)
{
#define D "\1d\2ex\0"
    static const struct {
        const char *what;
        unsigned prereqs, changes;
        struct span bytes;
        const char *rcode;
    } cases[] = {
        {"a good one", 0, 1, SPAN_INIT(D "\0\1\0\1\0\0\0\1\0\4abcd"), "NOERROR"},
        {"an address too short", 0, 1, SPAN_INIT(D "\0\1\0\1\0\0\0\1\0\3abc"), "FORMERR"},
        {"an address too long", 0, 1, SPAN_INIT(D "\0\1\0\1\0\0\0\1\0\5abcde"), "FORMERR"},
        {"no address", 0, 1, SPAN_INIT(D "\0\34\0\1\0\0\0\1\0\0"), "FORMERR"},
        {"a CNAME with something behind it", 0, 1, SPAN_INIT("\1c\2ex\0\0\5\0\1\0\0\0\1\0\4\1a\0b"),
         "FORMERR"},
        {"a compressed CNAME", 0, 1, SPAN_INIT("\1c\2ex\0\0\5\0\1\0\0\0\1\0\4\1a\300\14"),
         "NOERROR"},
        {"a CNAME to itself, endless", 0, 1, SPAN_INIT("\1c\2ex\0\0\5\0\1\0\0\0\1\0\4\1a\300\44"),
         "FORMERR"},
        {"a TXT without a string", 0, 1, SPAN_INIT("\1t\2ex\0\0\20\0\1\0\0\0\1\0\0"), "FORMERR"},
        {"a TXT that ends too early", 0, 1, SPAN_INIT("\1t\2ex\0\0\20\0\1\0\0\0\1\0\2\2a"),
         "FORMERR"},
        {"an unknown class", 0, 1, SPAN_INIT(D "\0\1\0\3\0\0\0\1\0\4abcd"), "FORMERR"},
        {"to add anything", 0, 1, SPAN_INIT(D "\0\377\0\1\0\0\0\1\0\4abcd"), "FORMERR"},
        {"to delete with a ttl", 0, 1, SPAN_INIT(D "\0\1\0\377\0\0\0\1\0\0"), "FORMERR"},
        {"to delete a set with data", 0, 1, SPAN_INIT(D "\0\1\0\377\0\0\0\0\0\4abcd"), "FORMERR"},
        {"to delete a record with a ttl", 0, 1, SPAN_INIT(D "\0\1\0\376\0\0\0\1\0\4abcd"),
         "FORMERR"},
        {"to delete a record of any type", 0, 1, SPAN_INIT(D "\0\377\0\376\0\0\0\0\0\0"),
         "FORMERR"},
        {"a prerequisite with a ttl", 1, 0, SPAN_INIT(D "\0\1\0\377\0\0\0\1\0\0"), "FORMERR"},
        {"a prerequisite with data", 1, 0, SPAN_INIT(D "\0\1\0\377\0\0\0\0\0\1a"), "FORMERR"},
        {"no such set, with data", 1, 0, SPAN_INIT(D "\0\1\0\376\0\0\0\0\0\1a"), "FORMERR"},
        {"a set of any type", 1, 0, SPAN_INIT(D "\0\377\0\1\0\0\0\0\0\0"), "FORMERR"},
        {"an unknown class there", 1, 0, SPAN_INIT(D "\0\1\0\4\0\0\0\0\0\0"), "FORMERR"},
        {"less than announced", 0, 2, SPAN_INIT(D "\0\1\0\1\0\0\0\1\0\4abcd"), "FORMERR"},
        {"more than announced", 0, 0, SPAN_INIT(D "\0\1\0\1\0\0\0\1\0\4abcd"), "FORMERR"},
        {"a name that never ends", 0, 1, SPAN_INIT("\300\24\0\1\0\1\0\0\0\1\0\4abcd"), "FORMERR"},
        {"a record cut off", 0, 1, SPAN_INIT(D "\0\1\0\1\0\0\0\1\0\4abc"), "FORMERR"},
    };
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;

    dialogue_init(&d, CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t room[512];
        size_t len = nsupdate_write("ex", "", room, sizeof(room));
        room[7] = (uint8_t)cases[i].prereqs;
        room[9] = (uint8_t)cases[i].changes;
        memcpy(room + len, cases[i].bytes.at, cases[i].bytes.len);
        unsigned rcode = run(d.settings, span_of(room, len + cases[i].bytes.len), "k", memory);
        cr_expect_str_eq(rcode_text(rcode), cases[i].rcode, "%s: %s", cases[i].what,
                         rcode_text(rcode));
    }
    dialogue_fini(&d);
    free(memory);
}

Test(update, the_zone_section_rfc2136_3_1)
{
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
        const char *rcode;
    } cases[] = {
        {"two zones", 5, 2, "FORMERR"},
        {"no zone", 5, 0, "FORMERR"},
        {"another type than SOA", 17, TYPE_A, "FORMERR"},
        {"another class", 19, CLASS_CH, "NOTAUTH"},
        {"any class", 19, CLASS_ANY, "NOTAUTH"},
    };
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;

    dialogue_init(&d, CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t room[512];
        size_t len = nsupdate_write("ex", "", room, sizeof(room));
        room[cases[i].at] = cases[i].value;
        unsigned rcode = run(d.settings, span_of(room, len), "k", memory);
        cr_expect_str_eq(rcode_text(rcode), cases[i].rcode, "%s: %s", cases[i].what,
                         rcode_text(rcode));
    }
    dialogue_fini(&d);
    free(memory);
}

Test(update, a_ttl_with_its_highest_bit_is_0_rfc2181_8)
{
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;
    uint8_t room[512];

    dialogue_init(&d, CONFIG);
    size_t len = nsupdate_write("ex", "add d 60 A 192.0.2.1", room, sizeof(room));
    room[len - 10] = 0x80; /* before the length of the data, and the data */
    cr_expect_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_NOERROR);
    cr_expect_str_eq(dynamic_memory_text(memory), "d.ex. 0 A 192.0.2.1");
    dialogue_fini(&d);
    free(memory);
}

/* What the rule no longer opens goes with the next change, and keeps nothing away. */
Test(update, what_is_no_longer_opened_is_as_if_it_were_gone)
{
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct update_store store = dynamic_memory_store(memory);
    struct dialogue d;
    struct name name;
    uint8_t room[512];

    dialogue_init(&d, CONFIG);
    cr_assert_eq(name_parse_absolute(SPAN("d.ex"), &name), 0);
    store.put(store.arg, &name, SPAN("\0\5\0\0\0\1\0\3\1x\0")); /* a CNAME */
    size_t len = nsupdate_write("ex", "add d 60 A 192.0.2.1", room, sizeof(room));
    cr_expect_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_NOERROR);
    cr_expect_str_eq(dynamic_memory_text(memory), "d.ex. 60 A 192.0.2.1");
    dialogue_fini(&d);
    free(memory);
}

Test(update, a_store_that_fails)
{
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;
    uint8_t room[512];

    dialogue_init(&d, CONFIG);
    size_t len = nsupdate_write("ex", "add d 60 A 192.0.2.1", room, sizeof(room));
    memory->err = ERR_FULL;
    cr_expect_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_REFUSED);
    memory->err = ERR_IO;
    cr_expect_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_SERVFAIL);
    dialogue_fini(&d);
    free(memory);
}

/* One name's records, of whatever size. */
struct large {
    size_t len;
    uint8_t records[64 * (8 + DYNAMIC_DATA_MAX)];
};

static struct span large_get(void *arg, const struct name *name)
{
    const struct large *large = arg;
    return span_of(large->records, large->len);
}

static int large_put(void *arg, const struct name *name, struct span records)
{
    struct large *large = arg;

    cr_assert_leq(records.len, sizeof(large->records));
    large->len = records.len;
    memcpy(large->records, records.at, records.len);
    return 0;
}

/* A text of a KiB, one of 256; what `class` says happens to it. */
static size_t write_large(uint8_t number, uint16_t class, uint8_t *room)
{
    size_t len = nsupdate_write("ex", "", room, 512);
    struct wire_out out = wire_out_of(room + len, 2048);

    room[9] = 1;
    wire_put_bytes(&out, "\1l\2ex", 6);
    wire_put_u16(&out, TYPE_TXT);
    wire_put_u16(&out, class);
    wire_put_u32(&out, class == CLASS_IN ? 60 : 0);
    wire_put_u16(&out, DYNAMIC_DATA_MAX);
    for (unsigned i = 0; i < DYNAMIC_DATA_MAX / 256; i++) {
        uint8_t string[256];
        memset(string, number, sizeof(string));
        string[0] = 255;
        wire_put_bytes(&out, string, sizeof(string));
    }
    cr_assert_not(out.failed);
    return len + wire_out_len(&out);
}

/* What was taken can be read again: a set that no message holds would be no answer for ever. */
Test(update, a_set_is_no_larger_than_a_message)
{
    const size_t most = RRSET_LEN_MAX / (RR_FIXED_LEN + DYNAMIC_DATA_MAX);
    static struct large large;
    const struct update_store store = {large_get, large_put, &large};
    struct dialogue d;
    struct update update;
    uint8_t room[4096];
    bool changed;

    dialogue_init(&d, CONFIG);
    for (size_t i = 0; i < 64; i++) {
        struct span packet = span_of(room, write_large((uint8_t)i, CLASS_IN, room));
        cr_assert_eq(update_read(packet, &update), RCODE_NOERROR);
        unsigned rcode = update_apply(d.settings->zones, packet, &update, &store, &changed);
        cr_expect_eq(rcode, i < most ? RCODE_NOERROR : RCODE_REFUSED, "%zu: %s", i,
                     rcode_text(rcode));
    }
    struct dynamic_records *dynamic = dynamic_new();
    cr_expect(dynamic_add(dynamic, SPAN("\1l\2ex\0"), large_get(&large, NULL)));
    cr_expect_eq(dynamic_count(dynamic), 1);
    dynamic_unref(&dynamic);
    dialogue_fini(&d);
}

/* One that is there all the same costs its own name alone, until some of it is deleted. */
Test(update, a_set_that_is_too_large_costs_its_own_name)
{
    static const struct {
        const char *name, *type, *want;
    } cases[] = {
        {"l.ex", "TXT", "SERVFAIL"},
        {"l.ex", "A", "SERVFAIL"},
        {"d.ex", "A", "NOERROR aa | ns ex."},
        {"t.ex", "TXT", "NOERROR aa | ns ex."},
    };
    static struct large large;
    const struct update_store store = {large_get, large_put, &large};
    struct wire_out out = wire_out_of(large.records, sizeof(large.records));
    struct dialogue d;
    struct update update;
    uint8_t room[4096];
    bool changed;

    for (unsigned i = 0; i < 64; i++) {
        size_t len = write_large((uint8_t)i, CLASS_IN, room);
        dynamic_put(&out,
                    &(struct dynamic_record){
                        TYPE_TXT, 60, span_of(room + len - DYNAMIC_DATA_MAX, DYNAMIC_DATA_MAX)});
    }
    cr_assert_not(out.failed);
    large.len = wire_out_len(&out);
    dialogue_init(&d, CONFIG);
    struct dynamic_records *dynamic = dynamic_new();
    cr_expect(dynamic_add(dynamic, SPAN("\1l\2ex\0"), large_get(&large, NULL)));
    cr_expect_not(dynamic_is_damaged(dynamic));
    cr_expect_eq(dynamic_count(dynamic), 0);
    d.view.dynamic = dynamic;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct question q = {.name = cases[i].name, .type = cases[i].type};
        const char *got = ask(&d, &q);
        cr_expect(span_starts(span_str(got), span_str(cases[i].want)), "%s %s: %s", cases[i].name,
                  cases[i].type, got);
    }
    for (unsigned i = 0; i < 10; i++) {
        struct span packet = span_of(room, write_large((uint8_t)i, CLASS_NONE, room));
        cr_assert_eq(update_read(packet, &update), RCODE_NOERROR);
        cr_expect_eq(update_apply(d.settings->zones, packet, &update, &store, &changed),
                     RCODE_NOERROR);
    }
    dynamic_unref(&dynamic);
    dynamic = dynamic_new();
    cr_expect(dynamic_add(dynamic, SPAN("\1l\2ex\0"), large_get(&large, NULL)));
    cr_expect_eq(dynamic_count(dynamic), 1);
    dynamic_unref(&dynamic);
    dialogue_fini(&d);
}

Test(update, too_many)
{
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct buf text = BUF_INIT;
    struct dialogue d;
    static uint8_t room[65535];

    dialogue_init(&d, CONFIG);
    for (int i = 0; i < UPDATE_PREREQS_MAX; i++) {
        buf_printf(&text, "%syx ns", i ? ";" : "");
    }
    buf_append(&text, SPAN("\0"));
    size_t len = nsupdate_write("ex", text.data, room, sizeof(room));
    cr_expect_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_NOERROR);
    buf_clear(&text);
    for (int i = 0; i <= UPDATE_PREREQS_MAX; i++) {
        buf_printf(&text, "%syx ns", i ? ";" : "");
    }
    buf_append(&text, SPAN("\0"));
    len = nsupdate_write("ex", text.data, room, sizeof(room));
    cr_expect_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_REFUSED);
    buf_clear(&text);
    for (int i = 0; i <= UPDATE_CHANGES_MAX; i++) {
        buf_printf(&text, "%sdel d", i ? ";" : "");
    }
    buf_append(&text, SPAN("\0"));
    len = nsupdate_write("ex", text.data, room, sizeof(room));
    cr_expect_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_REFUSED);
    buf_fini(&text);
    dialogue_fini(&d);
    free(memory);
}

/* ---- what is dynamic, in answers ---- */

Test(update, answers_have_dynamic_records)
{
    static const struct {
        const char *what;
        struct question question;
        const char *want;
    } cases[] = {
        {"an address", {.name = "d.ex", .type = "A"}, "NOERROR aa | d.ex. 60 A 192.0.2.1"},
        {"through a CNAME that is written",
         {.name = "to.ex", .type = "A"},
         "NOERROR aa | to.ex. 3600 CNAME d.ex. | d.ex. 60 A 192.0.2.1"},
        {"through a dynamic one",
         {.name = "c.ex", .type = "A"},
         "NOERROR aa | c.ex. 5 CNAME d.ex. | d.ex. 60 A 192.0.2.1"},
        {"below a wildcard",
         {.name = "a.w.ex", .type = "A"},
         "NOERROR aa | a.w.ex. 60 A 192.0.2.2"},
        {"another name below it",
         {.name = "b.w.ex", .type = "A"},
         "NOERROR aa | ns ex. 60 SOA ns.ex. hostmaster.ex. 9 3600 900 1209600 60"},
        {"beside what is written",
         {.name = "t.ex", .type = "A"},
         "NOERROR aa | t.ex. 3600 A 192.0.2.9"},
        {"of another type",
         {.name = "d.ex", .type = "AAAA"},
         "NOERROR aa | ns ex. 60 SOA ns.ex. hostmaster.ex. 9 3600 900 1209600 60"},
        {"of a type that is no longer opened",
         {.name = "d.ex", .type = "TXT"},
         "NOERROR aa | ns ex. 60 SOA ns.ex. hostmaster.ex. 9 3600 900 1209600 60"},
        {"the serial has gone on",
         {.name = "ex", .type = "SOA"},
         "NOERROR aa | ex. 3600 SOA ns.ex. hostmaster.ex. 9 3600 900 1209600 60"},
        {"a zone that cannot change",
         {.name = "in.ex", .type = "MX"},
         "NOERROR aa | ns in.ex. 60 SOA ns.ex. hostmaster.in.ex. "},
        {"anything at all",
         {.name = "d.ex", .type = "ANY"},
         "NOERROR aa | d.ex. 3600 HINFO \\07RFC8482\\00"},
    };
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;
    uint8_t room[512];

    dialogue_init(&d, CONFIG);
    size_t len = nsupdate_write(
        "ex", "add d 60 A 192.0.2.1; add a.w 60 A 192.0.2.2; add c 5 CNAME d", room, sizeof(room));
    cr_assert_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_NOERROR);
    struct dynamic_records *dynamic = dynamic_memory_table(memory);
    cr_assert(dynamic_add(dynamic, SPAN("\1d\2ex\0"), SPAN("\0\20\0\0\0\1\0\2\1x")));
    cr_assert(dynamic_add_serial(dynamic, SPAN("\2ex\0"), 9));
    d.view.dynamic = dynamic;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = ask(&d, &cases[i].question);
        cr_expect(span_starts(span_str(got), span_str(cases[i].want)), "%s:\n got %s\nwant %s",
                  cases[i].what, got, cases[i].want);
    }
    dynamic_unref(&dynamic);
    dialogue_fini(&d);
    free(memory);
}

/* A circle of aliases is told once, wherever it is entered. */
Test(update, a_circle_of_aliases_is_told_once)
{
#define CIRCLE "c.ex. 5 CNAME back.ex. | back.ex. 3600 CNAME c.ex."
    static const struct {
        const char *to, *name, *want;
    } cases[] = {
        {"back", "c.ex", "NOERROR aa | " CIRCLE},
        {"back", "back.ex", "NOERROR aa | back.ex. 3600 CNAME c.ex. | c.ex. 5 CNAME back.ex."},
        {"back", "x.star.ex", "NOERROR aa | x.star.ex. 3600 CNAME c.ex. | " CIRCLE},
        {"c", "c.ex", "NOERROR aa | c.ex. 5 CNAME c.ex."},
        {"x.star", "c.ex", "NOERROR aa | c.ex. 5 CNAME x.star.ex. | x.star.ex. 3600 CNAME c.ex."},
        {"x.star", "y.star.ex",
         "NOERROR aa | y.star.ex. 3600 CNAME c.ex. | c.ex. 5 CNAME x.star.ex. | "
         "x.star.ex. 3600 CNAME c.ex."},
    };
    struct dialogue d;

    dialogue_init(&d, CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
        uint8_t room[512];
        char text[64];
        snprintf(text, sizeof(text), "add c 5 CNAME %s", cases[i].to);
        size_t len = nsupdate_write("ex", text, room, sizeof(room));
        cr_assert_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_NOERROR);
        struct dynamic_records *dynamic = dynamic_memory_table(memory);
        d.view.dynamic = dynamic;
        struct question q = {.name = cases[i].name, .type = "A"};
        cr_expect_str_eq(ask(&d, &q), cases[i].want, "%s: %s", cases[i].name, ask(&d, &q));
        dynamic_unref(&dynamic);
        free(memory);
    }
    dialogue_fini(&d);
}

/* RFC 1982: what the settings say is newer than what updates left. */
Test(update, the_later_serial_counts)
{
    static const struct {
        uint32_t stored;
        const char *want;
    } cases[] = {{8, "hostmaster.ex. 8 "},
                 {6, "hostmaster.ex. 7 "},
                 {0x80000006, "hostmaster.ex. 2147483654 "},
                 {0x80000008, "hostmaster.ex. 7 "}};
    const struct question question = {.name = "ex", .type = "SOA"};
    struct dialogue d;

    dialogue_init(&d, CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dynamic_records *dynamic = dynamic_new();
        dynamic_add_serial(dynamic, SPAN("\2ex\0"), cases[i].stored);
        d.view.dynamic = dynamic;
        const char *got = ask(&d, &question);
        cr_expect_not_null(strstr(got, cases[i].want), "%u: %s", cases[i].stored, got);
        dynamic_unref(&dynamic);
    }
    dialogue_fini(&d);
}

Test(dynamic, damaged_records_are_not_read)
{
    static const struct {
        const char *what;
        struct span owner, records;
        bool good;
    } cases[] = {
        {"a good one", SPAN_INIT("\1d\0"), SPAN_INIT("\0\1\0\0\0\1\0\4abcd"), true},
        {"an address of five bytes", SPAN_INIT("\1d\0"), SPAN_INIT("\0\1\0\0\0\1\0\5abcde"), false},
        {"cut off", SPAN_INIT("\1d\0"), SPAN_INIT("\0\1\0\0\0\1\0\4abc"), false},
        {"a type that updates cannot set", SPAN_INIT("\1d\0"), SPAN_INIT("\0\2\0\0\0\1\0\1\0"),
         false},
        {"a ttl that cannot be", SPAN_INIT("\1d\0"), SPAN_INIT("\0\1\377\0\0\1\0\4abcd"), false},
        {"a compressed name", SPAN_INIT("\1d\0"), SPAN_INIT("\0\5\0\0\0\1\0\2\300\0"), false},
        {"a name with capitals", SPAN_INIT("\1d\0"), SPAN_INIT("\0\5\0\0\0\1\0\3\1A\0"), false},
        {"no owner", SPAN_INIT(""), SPAN_INIT("\0\1\0\0\0\1\0\4abcd"), false},
        {"an owner cut off", SPAN_INIT("\3d\0"), SPAN_INIT("\0\1\0\0\0\1\0\4abcd"), false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dynamic_records *dynamic = dynamic_new();
        cr_expect_eq(dynamic_add(dynamic, cases[i].owner, cases[i].records), cases[i].good, "%s",
                     cases[i].what);
        cr_expect_eq(dynamic_count(dynamic), cases[i].good, "%s", cases[i].what);
        dynamic_unref(&dynamic);
    }
}

/* ---- tables that share what they have in common ---- */

#define MANY 2000

static void name_of(unsigned number, struct name *out)
{
    char text[32];

    snprintf(text, sizeof(text), "n%u.ex", number);
    cr_assert_eq(name_parse_absolute(span_str(text), out), 0);
}

static void add_value(struct dynamic_records *dynamic, const struct name *name, uint8_t value)
{
    uint8_t bytes[] = {0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, value};

    cr_assert(dynamic_add(dynamic, span_of(name->at, name->len), span_of(bytes, sizeof(bytes))));
}

/* The last byte of its address; -1: it has none. */
static int value_in(const struct dynamic_records *dynamic, unsigned number)
{
    struct name name;

    name_of(number, &name);
    const struct rrset *set = dynamic_find(dynamic, &name);
    return set ? set->wire[set->len - 1] : -1;
}

/* Values by number, -1: none; and how many have been read. */
struct source {
    int values[MANY + 1];
    unsigned reads;
};

static void add_from(void *arg, struct dynamic_records *dynamic, const struct name *name)
{
    struct source *source = arg;
    struct name other;

    for (unsigned i = 0; i <= MANY; i++) {
        name_of(i, &other);
        if (name_eq(&other, name)) {
            source->reads++;
            if (source->values[i] >= 0) {
                add_value(dynamic, name, (uint8_t)source->values[i]);
            }
            return;
        }
    }
    cr_assert_fail("a name that was never there");
}

Test(dynamic, a_copy_is_changed_by_itself)
{
    struct source *source = xcalloc(1, sizeof(*source));
    struct dynamic_records *old = dynamic_new();
    struct name name;

    for (unsigned i = 0; i < MANY; i++) {
        name_of(i, &name);
        source->values[i] = (int)(i % 250);
        add_value(old, &name, (uint8_t)(i % 250));
    }
    source->values[MANY] = 7;
    source->values[5] = 251;
    source->values[6] = -1;
    struct dynamic_records *fresh = dynamic_copy(old);
    const unsigned changed[] = {MANY, 5, 6, 5, MANY};
    for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
        name_of(changed[i], &name);
        dynamic_renew(fresh, &name, add_from, source);
    }
    cr_expect_lt(source->reads, 100, "%u names read for three", source->reads);
    cr_expect_eq(dynamic_count(old), MANY);
    cr_expect_eq(dynamic_count(fresh), MANY);
    dynamic_unref(&old);
    for (unsigned i = 0; i <= MANY; i++) {
        cr_expect_eq(value_in(fresh, i), source->values[i], "%u", i);
    }
    dynamic_unref(&fresh);
    free(source);
}

/* Of a damaged state what was read is answered, and of all else nothing is said. */
Test(update, what_nobody_knows_is_no_answer)
{
    static const struct {
        const char *name, *type, *want;
    } cases[] = {
        {"a.w.ex", "A", "NOERROR aa | a.w.ex. 60 A 192.0.2.2"},
        {"a.w.ex", "AAAA", "NOERROR aa | ns ex."},
        {"b.w.ex", "A", "SERVFAIL"},
        {"d.ex", "A", "SERVFAIL | edns ede 14"},
        {"to.ex", "A", "SERVFAIL | edns ede 14"}, /* and not the half of a chain */
        {"d.ex", "MX", "SERVFAIL"},
        {"t.ex", "A", "NOERROR aa | t.ex. 3600 A 192.0.2.9"},
        {"t.ex", "TXT", "SERVFAIL"},
        {"ns.ex", "A", "NOERROR aa | ns.ex. 3600 A 192.0.2.53"},
        {"no.ex", "A", "NXDOMAIN aa | ns ex."},
    };
    struct dynamic_memory *memory = xcalloc(1, sizeof(*memory));
    struct dialogue d;
    uint8_t room[512];

    dialogue_init(&d, CONFIG);
    size_t len = nsupdate_write("ex", "add a.w 60 A 192.0.2.2", room, sizeof(room));
    cr_assert_eq(run(d.settings, span_of(room, len), "k", memory), RCODE_NOERROR);
    struct dynamic_records *dynamic = dynamic_memory_table(memory);
    dynamic_set_damaged(dynamic);
    cr_expect(dynamic_is_damaged(dynamic) && !dynamic_is_damaged(NULL));
    d.view.dynamic = dynamic;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct question q = {.name = cases[i].name, .type = cases[i].type, .edns = true};
        const char *got = ask(&d, &q);
        cr_expect(span_starts(span_str(got), span_str(cases[i].want)), "%s %s: %s", cases[i].name,
                  cases[i].type, got);
    }
    dynamic_unref(&dynamic);
    dialogue_fini(&d);
    free(memory);
}
