#include "dialogue.h"
#include "verify.h"

#include "base/mem.h"
#include "dnsredir/zone/dnssec.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ZONES                                                                                      \
    "dnssec: { signatures-per-second: 160 }\n"                                                     \
    "resolver: { allow: 192.0.2.99, forward: 192.0.2.200 }\n"                                      \
    "replicas:\n"                                                                                  \
    "  - { name: fra, addresses: [192.0.2.1, \"2001:db8::1\"] }\n"                                 \
    "  - { name: nyc, addresses: [192.0.2.2, \"2001:db8::2\"] }\n"                                 \
    "  - { name: sin, addresses: [192.0.2.3] }\n"                                                  \
    "  - { name: t1, target: t1.example.org }\n"                                                   \
    "nearest: { map: [{ prefix: 10.1.0.0/16, replica: fra },\n"                                    \
    "                 { prefix: 10.2.0.0/16, replica: [nyc, fra] }] }\n"                           \
    "zones:\n"                                                                                     \
    "  - name: plain.ex\n"                                                                         \
    "    nameservers: [ns.ex]\n"                                                                   \
    "    names: [{ name: www, records: [\"A 192.0.2.8\"] }]\n"                                     \
    "  - name: inner.ex\n"                                                                         \
    "    nameservers: [ns.ex]\n"                                                                   \
    "    soa: { serial: 7 }\n"                                                                     \
    "    dnssec: { key: %s }\n"                                                                    \
    "  - name: far.sub.ex\n"                                                                       \
    "    nameservers: [ns.ex]\n"                                                                   \
    "    soa: { serial: 7 }\n"                                                                     \
    "  - name: ex\n"                                                                               \
    "    nameservers: [ns.ex]\n"                                                                   \
    "    ttl: 1h\n"                                                                                \
    "    soa: { serial: 7, minimum: 60s }\n"                                                       \
    "    dnssec: { key: [%s], cds: %s }\n"                                                         \
    "    names:\n"                                                                                 \
    "      - { name: ns, records: [\"A 192.0.2.53\"] }\n"                                          \
    "      - { name: www, policy: nearest, replicas: [fra, nyc, sin], ttl: 30s }\n"                \
    "      - { name: two, policy: nearest, replicas: [fra, nyc, sin], answers: 2 }\n"              \
    "      - { name: out, policy: failover, replicas: [t1] }\n"                                    \
    "      - { name: mail, records: [\"MX 10 mx\", \"MX 5 a.mx\", \"TXT hello\"] }\n"              \
    "      - { name: alias, records: [\"CNAME www\"] }\n"                                          \
    "      - { name: gone, records: [\"CNAME nothing\"] }\n"                                       \
    "      - { name: \"*.w\", records: [\"A 192.0.2.77\"] }\n"                                     \
    "      - { name: \"*.s\", policy: nearest, replicas: [fra, nyc], ttl: 30s }\n"                 \
    "      - { name: \"*.c\", records: [\"CNAME x.w\"] }\n"                                        \
    "      - { name: \"*.away\", records: [\"CNAME www.example.org.\"] }\n"                        \
    "      - { name: a.deep, records: [\"TXT deep\"] }\n"                                          \
    "      - { name: sub, records: [\"NS ns.sub\"] }\n"                                            \
    "      - { name: ns.sub, records: [\"A 192.0.2.79\"] }\n"                                      \
    "      - { name: safe, records: [\"NS ns.example.org.\", \"DS 1 13 2 " DIGEST "\"] }\n"        \
    "      - { name: big, records: [\"TXT %0200d\", \"TXT %0201d\", \"TXT %0202d\"] }\n"

static struct dialogue d;
static char dir[] = "/tmp/larder-dnssec-XXXXXX";
static char first[64], second[64];

static void load(const char *keys, const char *cds)
{
    char yaml[8192];

    snprintf(yaml, sizeof(yaml), ZONES, second, keys, cds, 1, 2, 3);
    dialogue_init(&d, yaml);
}

static void set_up(void)
{
    char fault[DNSSEC_FAULT_MAX];

    cr_assert_not_null(mkdtemp(dir));
    snprintf(first, sizeof(first), "%s/one.pem", dir);
    snprintf(second, sizeof(second), "%s/two.pem", dir);
    cr_assert_eq(dnssec_key_make(first, fault), 0, "%s", fault);
    cr_assert_eq(dnssec_key_make(second, fault), 0, "%s", fault);
    load(first, "no");
}

static void tear_down(void)
{
    dialogue_fini(&d);
    unlink(first);
    unlink(second);
    rmdir(dir);
}

TestSuite(answer_dnssec, .init = set_up, .fini = tear_down);

struct row {
    const char *name, *type, *subnet, *want;
    unsigned signatures;
};

#define DO " | edns do"
#define SOA                                                                                        \
    " | ns ex. 60 SOA ns.ex. hostmaster.ex. 7 3600 900 1209600 60 | ns ex. 60 RRSIG SOA 1 60 ex."
#define NSEC(owner, next, types)                                                                   \
    " | ns " owner " 60 NSEC " next " " types " | ns " owner " 60 RRSIG NSEC "

static const char *ask_do(const char *name, const char *type, const char *subnet)
{
    return ask(&d,
               &(struct question){.name = name, .type = type, .subnet = subnet, .dnssec = true});
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = ask_do(rows[i].name, rows[i].type, rows[i].subnet);
        cr_expect_str_eq(got, rows[i].want, "%s %s\n got %s\nwant %s", rows[i].name, rows[i].type,
                         got, rows[i].want);
        cr_expect_eq(verify_answer(&d), rows[i].signatures, "%s %s", rows[i].name, rows[i].type);
    }
}

Test(answer_dnssec, rfc4035_3_1_1_sets_have_their_signatures)
{
    static const struct row rows[] = {
        {"ns.ex", "A", NULL,
         "NOERROR aa | ns.ex. 3600 A 192.0.2.53 | ns.ex. 3600 RRSIG A 2 3600 ex." DO, 1},
        {"mail.ex", "MX", NULL,
         "NOERROR aa | mail.ex. 3600 MX 10 mx.ex. | mail.ex. 3600 MX 5 a.mx.ex. | mail.ex. 3600 "
         "RRSIG MX 2 3600 ex." DO,
         1},
        {"ex", "NS", NULL,
         "NOERROR aa | ex. 3600 NS ns.ex. | ex. 3600 RRSIG NS 1 3600 ex. | ar ns.ex. 3600 A "
         "192.0.2.53 | ar ns.ex. 3600 RRSIG A 2 3600 ex." DO,
         2},
        {"ex", "SOA", NULL,
         "NOERROR aa | ex. 3600 SOA ns.ex. hostmaster.ex. 7 3600 900 1209600 60 | ex. 3600 RRSIG "
         "SOA 1 3600 ex." DO,
         1},
        {"ex", "DNSKEY", NULL,
         "NOERROR aa | ex. 3600 DNSKEY 257 | ex. 3600 RRSIG DNSKEY 1 3600 ex." DO, 1},
        {"alias.ex", "A", "10.1.0.0/16",
         "NOERROR aa | alias.ex. 3600 CNAME www.ex. | alias.ex. 3600 RRSIG CNAME 2 3600 ex. | "
         "www.ex. 30 A 192.0.2.1 | www.ex. 30 RRSIG A 2 30 ex." DO " scope 16/16",
         2},
        {"out.ex", "A", NULL,
         "NOERROR aa | out.ex. 30 CNAME t1.example.org. | out.ex. 30 RRSIG CNAME 2 30 ex." DO, 1},
        {"mail.ex", "ANY", NULL,
         "NOERROR aa | mail.ex. 3600 HINFO \\07RFC8482\\00 | mail.ex. 3600 RRSIG HINFO 2 3600 "
         "ex." DO,
         1},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer_dnssec, who_does_not_ask_gets_none)
{
    cr_expect_str_eq(ask(&d, &(struct question){.name = "ns.ex", .type = "A"}),
                     "NOERROR aa | ns.ex. 3600 A 192.0.2.53");
    cr_expect_str_eq(ask(&d, &(struct question){.name = "ns.ex", .type = "A", .edns = true}),
                     "NOERROR aa | ns.ex. 3600 A 192.0.2.53 | edns");
    cr_expect_str_eq(ask(&d, &(struct question){.name = "ex", .type = "DNSKEY"}),
                     "NOERROR aa | ex. 3600 DNSKEY 257");
    cr_expect_str_eq(ask(&d, &(struct question){.name = "no.ex", .type = "A"}),
                     "NXDOMAIN aa | ns ex. 60 SOA ns.ex. hostmaster.ex. 7 3600 900 1209600 60");
    cr_expect_eq(d.note.dnssec, false);
    cr_expect_str_eq(ask_do("www.plain.ex", "A", NULL),
                     "NOERROR aa | www.plain.ex. 3600 A 192.0.2.8" DO);
}

Test(answer_dnssec, steered_answers_by_network_and_health)
{
    static const struct row rows[] = {
        {"www.ex", "A", "10.1.2.0/24",
         "NOERROR aa | www.ex. 30 A 192.0.2.1 | www.ex. 30 RRSIG A 2 30 ex." DO " scope 24/16", 1},
        {"www.ex", "A", "10.2.0.0/16",
         "NOERROR aa | www.ex. 30 A 192.0.2.2 | www.ex. 30 RRSIG A 2 30 ex." DO " scope 16/16", 1},
        {"www.ex", "AAAA", "10.2.0.0/16",
         "NOERROR aa | www.ex. 30 AAAA 2001:db8::2 | www.ex. 30 RRSIG AAAA 2 30 ex." DO
         " scope 16/16",
         1},
    };
    check(rows, ARRAY_LEN(rows));
    cr_expect_eq(d.note.signatures[SIGNED_READY], 1, "made ahead");
    dialogue_set_up(&d, 0, false);
    cr_expect_str_eq(ask_do("www.ex", "A", "10.1.0.0/16"),
                     "NOERROR aa | www.ex. 30 A 192.0.2.2 | www.ex. 30 RRSIG A 2 30 ex." DO
                     " scope 16/16");
    cr_expect_eq(verify_answer(&d), 1);
}

Test(answer_dnssec, every_order_of_a_set_has_one_signature)
{
    unsigned made = 0;

    for (uint32_t turn = 0; turn < 64; turn++) {
        d.client.turn = turn * 0x01010101u;
        ask_do("two.ex", "A", NULL);
        cr_assert_eq(verify_answer(&d), 1);
        made += d.note.signatures[SIGNED_NEW];
        cr_assert_eq(d.note.signatures[SIGNED_REFUSED], 0);
    }
    cr_assert_leq(made, 3, "as many as there are pairs of three");
}

Test(answer_dnssec, rfc4035_3_1_3_what_does_not_exist)
{
    static const struct row rows[] = {
        /* the type: the name has these, and nothing lies behind it */
        {"mail.ex", "A", NULL,
         "NOERROR aa" SOA NSEC("mail.ex.", "\\000.mail.ex.", "MX TXT RRSIG NSEC") "2 60 ex." DO, 2},
        {"www.ex", "MX", NULL,
         "NOERROR aa" SOA NSEC("www.ex.", "\\000.www.ex.", "A AAAA RRSIG NSEC") "2 60 ex." DO, 2},
        {"out.ex", "TXT", NULL,
         "NOERROR aa | out.ex. 30 CNAME t1.example.org. | out.ex. 30 RRSIG CNAME 2 30 ex." DO, 1},
        {"deep.ex", "A", NULL,
         "NOERROR aa" SOA NSEC("deep.ex.", "\\000.deep.ex.", "RRSIG NSEC") "2 60 ex." DO, 2},
        {"ex", "TXT", NULL,
         "NOERROR aa" SOA NSEC("ex.", "\\000.ex.", "NS SOA RRSIG NSEC DNSKEY") "1 60 ex." DO, 2},
        {"ex", "DS", NULL,
         "NOERROR aa" SOA NSEC("ex.", "\\000.ex.", "NS SOA RRSIG NSEC DNSKEY") "1 60 ex." DO, 2},
    };
    check(rows, ARRAY_LEN(rows));

    static const struct {
        const char *name, *wildcard;
    } absent[] = {
        {"nothing.ex", "*.ex"},         {"a.b.c.nothing.ex", "*.ex"},
        {"x.mail.ex", "*.mail.ex"},     {"y.x.a.deep.ex", "*.a.deep.ex"},
        {"\\000.deep.ex", "*.deep.ex"}, {"*.ex", "*.ex"},
    };
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        const char *got = ask_do(absent[i].name, "A", NULL);
        cr_expect(span_starts(span_str(got), SPAN("NXDOMAIN aa" SOA)), "%s", got);
        cr_expect_eq(verify_answer(&d), i == 5 ? 2 : 3, "%s", got);
        cr_expect(has_cover(&d, absent[i].name), "%s", got);
        cr_expect(has_cover(&d, absent[i].wildcard), "%s", got);
        cr_expect_not(has_cover(&d, "mail.ex"), "%s", got);
        cr_expect_not(has_cover(&d, "a.deep.ex"), "%s", got);
    }
    cr_expect(span_starts(span_str(ask_do("gone.ex", "A", NULL)),
                          SPAN("NXDOMAIN aa | gone.ex. 3600 CNAME nothing.ex.")));
    cr_expect_eq(verify_answer(&d), 4);
    cr_expect(has_cover(&d, "nothing.ex"));
}

Test(answer_dnssec, rfc4035_3_1_3_3_wildcards)
{
    static const struct {
        const char *name, *type, *want;
        unsigned signatures;
    } rows[] = {
        {"a.w.ex", "A", "NOERROR aa | a.w.ex. 3600 A 192.0.2.77 | a.w.ex. 3600 RRSIG A 2 3600 ex.",
         2},
        {"b.a.w.ex", "A",
         "NOERROR aa | b.a.w.ex. 3600 A 192.0.2.77 | b.a.w.ex. 3600 RRSIG A 2 3600 ex.", 2},
        {"a.s.ex", "A", "NOERROR aa | a.s.ex. 30 A 192.0.2.1 | a.s.ex. 30 RRSIG A 2 30 ex.", 2},
        {"a.w.ex", "TXT", "NOERROR aa" SOA " | ns *.w.ex. 60 NSEC \\000.*.w.ex. A RRSIG NSEC", 3},
        {"a.c.ex", "A",
         "NOERROR aa | a.c.ex. 3600 CNAME x.w.ex. | a.c.ex. 3600 RRSIG CNAME 2 3600 ex. | x.w.ex. "
         "3600 A 192.0.2.77 | x.w.ex. 3600 RRSIG A 2 3600 ex. | ns ",
         4},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = ask(&d, &(struct question){.name = rows[i].name,
                                                     .type = rows[i].type,
                                                     .subnet = i == 2 ? "10.1.0.0/16" : NULL,
                                                     .dnssec = true});
        cr_expect(span_starts(span_str(got), span_str(rows[i].want)), "%s:\n got %s\nwant %s",
                  rows[i].name, got, rows[i].want);
        cr_expect_eq(verify_answer(&d), rows[i].signatures, "%s", got);
        cr_expect(has_cover(&d, rows[i].name), "%s", got);
    }
    cr_expect(has_cover(&d, "x.w.ex"), "of the whole chain");
    cr_expect_str_eq(ask_do("*.w.ex", "A", NULL),
                     "NOERROR aa | *.w.ex. 3600 A 192.0.2.77 | *.w.ex. 3600 RRSIG A 2 3600 ex." DO);
    cr_expect_eq(verify_answer(&d), 1);
}

/* The end of the chain is another's to give; that the wildcard may stand for the name is ours. */
Test(answer_dnssec, a_chain_that_is_to_be_proved_is_not_left_to_the_resolver)
{
    static const char *const want =
        "NOERROR aa rd ra | a.away.ex. 3600 CNAME www.example.org. | a.away.ex. 3600 RRSIG CNAME "
        "2 3600 ex. | ns ";
    struct question q = {.name = "a.away.ex", .type = "A", .dnssec = true, .flags = FLAG_RD};
    struct deferral deferral;

    d.client.deferral = &deferral;
    cr_assert_eq(ip_parse(SPAN("192.0.2.99"), &d.client.ip), 0);
    const char *got = ask(&d, &q);
    cr_expect(!d.note.deferred && span_starts(span_str(got), span_str(want)), "%s", got);
    cr_expect_eq(verify_answer(&d), 2);
    cr_expect(has_cover(&d, "a.away.ex"));
    q.dnssec = false;
    ask(&d, &q);
    cr_expect(d.note.deferred);
}

Test(answer_dnssec, rfc4035_3_1_4_delegations)
{
    static const struct row rows[] = {
        {"x.sub.ex", "A", NULL,
         "NOERROR | ns sub.ex. 3600 NS ns.sub.ex." NSEC(
             "sub.ex.", "\\000.sub.ex.", "NS RRSIG NSEC") "2 60 ex. | ar "
                                                          "ns.sub.ex. 3600 A 192.0.2.79" DO,
         1},
        {"sub.ex", "DS", NULL,
         "NOERROR aa" SOA NSEC("sub.ex.", "\\000.sub.ex.", "NS RRSIG NSEC") "2 60 ex." DO, 2},
        {"x.safe.ex", "A", NULL,
         "NOERROR | ns safe.ex. 3600 NS ns.example.org. | ns safe.ex. 3600 DS 13 2 | ns safe.ex. "
         "3600 RRSIG DS 2 3600 ex." DO,
         1},
        {"safe.ex", "DS", NULL,
         "NOERROR aa | safe.ex. 3600 DS 13 2 | safe.ex. 3600 RRSIG DS 2 3600 ex." DO, 1},
        /* zones of ours inside one another */
        {"inner.ex", "DS", NULL,
         "NOERROR aa | inner.ex. 3600 DS 13 2 | inner.ex. 3600 RRSIG DS 2 3600 ex." DO, 1},
        {"plain.ex", "DS", NULL,
         "NOERROR aa" SOA NSEC("plain.ex.", "\\000.plain.ex.", "NS RRSIG NSEC") "2 60 ex." DO, 2},
    };
    check(rows, ARRAY_LEN(rows));
    /* one that others delegate: we have its own side alone, and that is not signed */
    cr_expect_str_eq(ask_do("far.sub.ex", "DS", NULL),
                     "NOERROR aa | ns far.sub.ex. 60 SOA ns.ex. hostmaster.far.sub.ex. 7 3600 900 "
                     "1209600 60" DO);
}

Test(answer_dnssec, the_records_that_are_made_as_they_are_asked_for)
{
    static const struct row rows[] = {
        {"mail.ex", "NSEC", NULL,
         "NOERROR aa | mail.ex. 60 NSEC \\000.mail.ex. MX TXT RRSIG NSEC | mail.ex. 60 RRSIG NSEC "
         "2 "
         "60 ex." DO,
         1},
        {"mail.ex", "RRSIG", NULL, "NOERROR aa | mail.ex. 60 RRSIG NSEC 2 60 ex." DO, 1},
        {"alias.ex", "NSEC", NULL,
         "NOERROR aa | alias.ex. 60 NSEC \\000.alias.ex. CNAME RRSIG NSEC | alias.ex. 60 RRSIG "
         "NSEC "
         "2 60 ex." DO,
         1},
        {"ex", "CDS", NULL,
         "NOERROR aa" SOA NSEC("ex.", "\\000.ex.", "NS SOA RRSIG NSEC DNSKEY") "1 60 ex." DO, 2},
    };
    check(rows, ARRAY_LEN(rows));
    cr_expect_str_eq(ask(&d, &(struct question){.name = "mail.ex", .type = "NSEC"}),
                     "NOERROR aa | mail.ex. 60 NSEC \\000.mail.ex. MX TXT RRSIG NSEC");
}

Test(answer_dnssec, rfc4035_3_1_1_what_does_not_fit_is_truncated)
{
    struct question q = {.name = "big.ex", .type = "TXT", .dnssec = true, .payload = 720};

    cr_expect(span_starts(span_str(ask(&d, &q)), SPAN("NOERROR aa tc | edns")), "%s", ask(&d, &q));
    q.dnssec = false;
    q.edns = true;
    cr_expect(span_starts(span_str(ask(&d, &q)), SPAN("NOERROR aa | big.ex.")), "%s", ask(&d, &q));
    q.dnssec = true;
    d.client.tcp = true;
    cr_expect(span_starts(span_str(ask(&d, &q)), SPAN("NOERROR aa | big.ex.")), "%s", ask(&d, &q));
    cr_expect_eq(verify_answer(&d), 1);
}

Test(answer_dnssec, a_second_key_is_published_and_signs_the_keys)
{
    char keys[160];

    dialogue_fini(&d);
    snprintf(keys, sizeof(keys), "%s, %s", first, second);
    load(keys, "yes");
    static const struct row rows[] = {
        {"ex", "DNSKEY", NULL,
         "NOERROR aa | ex. 3600 DNSKEY 257 | ex. 3600 DNSKEY 257 | ex. 3600 RRSIG DNSKEY 1 3600 "
         "ex. "
         "| ex. 3600 RRSIG DNSKEY 1 3600 ex." DO,
         2},
        {"ex", "CDS", NULL,
         "NOERROR aa | ex. 3600 CDS 13 2 | ex. 3600 CDS 13 2 | ex. 3600 RRSIG CDS 1 3600 ex. "
         "| ex. 3600 RRSIG CDS 1 3600 ex." DO,
         2},
        {"ex", "CDNSKEY", NULL,
         "NOERROR aa | ex. 3600 CDNSKEY 257 | ex. 3600 CDNSKEY 257 | ex. 3600 RRSIG CDNSKEY 1 3600 "
         "ex. | ex. 3600 RRSIG CDNSKEY 1 3600 ex." DO,
         2},
        {"ns.ex", "A", NULL,
         "NOERROR aa | ns.ex. 3600 A 192.0.2.53 | ns.ex. 3600 RRSIG A 2 3600 ex." DO, 1},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer_dnssec, what_updates_bind_is_signed_like_all_else)
{
    char yaml[2048];

    dialogue_fini(&d);
    snprintf(yaml, sizeof(yaml),
             "state: /tmp/unused\n"
             "keys: [{name: k, secret: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='}]\n"
             "zones:\n"
             "  - name: ex\n"
             "    nameservers: ns.ex\n"
             "    ttl: 1h\n"
             "    soa: {serial: 7, minimum: 60s}\n"
             "    dnssec: {key: %s}\n"
             "    names:\n"
             "      - {name: d, update: {keys: k}}\n"
             "      - {name: m, records: [MX 1 d]}\n"
             "      - {name: '*.w', update: {keys: k}}\n",
             first);
    dialogue_init(&d, yaml);
    struct dynamic_records *dynamic = dynamic_new();
    cr_assert(dynamic_add(dynamic, SPAN("\1d\2ex\0"), SPAN("\0\1\0\0\0\x3c\0\4\xc0\0\2\1")));
    cr_assert(dynamic_add(dynamic, SPAN("\1a\1w\2ex\0"), SPAN("\0\1\0\0\0\x3c\0\4\xc0\0\2\2")));
    cr_assert(dynamic_add(dynamic, SPAN("\1c\1b\1w\2ex\0"), SPAN("\0\1\0\0\0\x3c\0\4\xc0\0\2\3")));
    cr_assert(dynamic_add_serial(dynamic, SPAN("\2ex\0"), 9));
    d.view.dynamic = dynamic;
#define SOA9                                                                                       \
    " | ns ex. 60 SOA ns.ex. hostmaster.ex. 9 3600 900 1209600 60 | ns ex. 60 RRSIG SOA 1 60 ex."
    static const struct row rows[] = {
        {"d.ex", "A", NULL, "NOERROR aa | d.ex. 60 A 192.0.2.1 | d.ex. 60 RRSIG A 2 60 ex." DO, 1},
        {"m.ex", "MX", NULL,
         "NOERROR aa | m.ex. 3600 MX 1 d.ex. | m.ex. 3600 RRSIG MX 2 3600 ex. | ar d.ex. 60 A "
         "192.0.2.1 | ar d.ex. 60 RRSIG A 2 60 ex." DO,
         2},
        {"a.w.ex", "A", NULL,
         "NOERROR aa | a.w.ex. 60 A 192.0.2.2 | a.w.ex. 60 RRSIG A 3 60 ex." DO, 1},
        {"a.w.ex", "TXT", NULL,
         "NOERROR aa" SOA9 NSEC("a.w.ex.", "\\000.a.w.ex.", "A RRSIG NSEC") "3 60 ex." DO, 2},
        {"ex", "SOA", NULL,
         "NOERROR aa | ex. 3600 SOA ns.ex. hostmaster.ex. 9 3600 900 1209600 60 | ex. 3600 RRSIG "
         "SOA 1 3600 ex." DO,
         1},
    };
    check(rows, ARRAY_LEN(rows));
    const char *got = ask_do("b.w.ex", "A", NULL);
    cr_expect_eq(verify_answer(&d), 3, "%s", got);
    cr_expect(has_cover(&d, "b.w.ex"), "%s", got);
    cr_expect_not(has_cover(&d, "a.w.ex"), "%s", got);
    got = ask_do("x.a.w.ex", "A", NULL);
    cr_expect(span_starts(span_str(got), SPAN("NXDOMAIN aa")), "%s", got);
    cr_expect_eq(verify_answer(&d), 3, "%s", got);
    cr_expect(has_cover(&d, "x.a.w.ex") && has_cover(&d, "*.a.w.ex"), "%s", got);
    cr_expect_not(has_cover(&d, "a.w.ex"), "a dynamic record is not denied: %s", got);
    got = ask_do("c.b.w.ex", "A", NULL);
    cr_expect(span_starts(span_str(got), SPAN("NOERROR aa" SOA9)), "not opened: %s", got);
    cr_expect(has_cover(&d, "c.b.w.ex"), "%s", got);
    dynamic_unref(&dynamic);
}

/* ---- what is signed when, and how often ---- */

Test(answer_dnssec, a_flood_of_names_costs_no_more_than_its_budget)
{
    char name[64];
    unsigned made = 0, refused = 0;

    d.client.now_us = 1000000;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "x%u.ex", i);
        const char *got = ask_do(name, "A", NULL);
        made += d.note.signatures[SIGNED_NEW];
        if (d.note.signatures[SIGNED_REFUSED]) {
            refused++;
            cr_assert_str_eq(got, "NXDOMAIN aa tc" DO);
        } else {
            cr_assert_eq(verify_answer(&d), 3);
        }
    }
    cr_assert_eq(made + refused, 2000);
    cr_assert_eq(made, 9, "a zone's 4 and everybody's 8, less the quarters for TCP");
    d.client.tcp = true;
    cr_assert_neq(ask_do("y1.ex", "A", NULL)[0], 'S', "the rest is for those with an address");
    cr_assert_eq(verify_answer(&d), 3);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "z%u.ex", i);
        ask_do(name, "A", NULL);
    }
    cr_assert_str_eq(ask_do("y2.ex", "A", NULL), "SERVFAIL" DO " ede 14");
    cr_assert_neq(ask_do("y1.ex", "A", NULL)[0], 'S', "what was made is kept");
    d.client.tcp = false;
    ask_do("www.ex", "A", "10.1.0.0/16");
    cr_assert_eq(verify_answer(&d), 1, "answers with addresses are not concerned,");
    ask_do("mail.ex", "ANY", NULL);
    cr_assert_eq(verify_answer(&d), 1, "nor is what exists and was not signed ahead");
    d.client.now_us += 1000000;
    ask_do("y2.ex", "A", NULL);
    cr_assert_eq(verify_answer(&d), 3, "a second later there is a budget again");
}

/* What clients get while everybody is up costs nothing, however it is combined. */
Test(answer_dnssec, combinations_that_are_known_are_signed_ahead)
{
    static const struct {
        const char *name, *subnet;
    } cases[] = {{"near.ex", "10.1.0.0/16"}, {"near.ex", "10.2.0.0/16"},
                 {"near.ex", "10.3.0.0/16"}, {"x.near2.ex", "10.3.0.0/16"},
                 {"fail.ex", NULL},          {"hash.ex", NULL}};
    char yaml[2048];

    dialogue_fini(&d);
    snprintf(yaml, sizeof(yaml),
             "replicas: [{name: a, addresses: [192.0.2.1, '2001:db8::1']}, "
             "{name: b, addresses: 192.0.2.2}, {name: c, addresses: 192.0.2.3}, "
             "{name: d, addresses: [192.0.2.4, '2001:db8::4']}]\n"
             "nearest: {map: [{prefix: 10.1.0.0/16, replica: [a, b, c, d]}, "
             "{prefix: 10.2.0.0/16, replica: [c, b, a, d]}, "
             "{prefix: 10.3.0.0/16, replica: [d, a, b, c]}]}\n"
             "zones: [{name: ex, nameservers: ns.ex, dnssec: {key: %s}, names: ["
             "{name: near, policy: nearest, answers: 2}, "
             "{name: '*.near2', policy: nearest, answers: 3}, "
             "{name: fail, policy: failover, replicas: [b, d, a], answers: 2}, "
             "{name: hash, policy: hashed, answers: 3}]}]\n",
             first);
    dialogue_init(&d, yaml);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            const char *got = ask_do(cases[i].name, v6 ? "AAAA" : "A", cases[i].subnet);
            cr_expect_geq(d.note.signatures[SIGNED_READY], 1, "%s: %s", cases[i].name, got);
            bool wildcard = cases[i].name[0] == 'x'; /* whose proof is made when it is asked for */
            cr_expect_eq(d.note.signatures[SIGNED_NEW] + d.note.signatures[SIGNED_CACHED], wildcard,
                         "%s: %s", cases[i].name, got);
            cr_expect_eq(verify_answer(&d), wildcard ? 2 : 1, "%s", got);
        }
    }
}

/* Legal questions about one zone take nothing from another one. */
Test(answer_dnssec, zones_have_budgets_of_their_own)
{
    char yaml[1024], name[64];
    unsigned made = 0;

    dialogue_fini(&d);
    snprintf(yaml, sizeof(yaml),
             "dnssec: {signatures-per-second: 160}\n"
             "zones:\n"
             "  - {name: ex, nameservers: ns.ex, dnssec: {key: %s}}\n"
             "  - {name: ey, nameservers: ns.ey, dnssec: {key: %s}}\n"
             "  - {name: ez, nameservers: ns.ez, dnssec: {key: %s}}\n",
             first, second, first);
    dialogue_init(&d, yaml);
    d.client.now_us = 1000000;
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "x%u.ex", i);
        ask_do(name, "A", NULL);
        made += d.note.signatures[SIGNED_NEW];
    }
    cr_expect_eq(made, 9, "the zone's own, and what is everybody's, less their quarters: %u", made);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "y%u.ey", i);
        const char *got = ask_do(name, "A", NULL);
        cr_expect_eq(verify_answer(&d), 3, "another's own is untouched: %s", got);
    }
    cr_expect_str_eq(ask_do("y4.ey", "A", NULL), "NXDOMAIN aa tc" DO);
    made = 0;
    for (unsigned second_n = 0; second_n < 100; second_n++) { /* a steady flood */
        d.client.now_us += 10000;
        for (unsigned i = 0; i < 20; i++) {
            snprintf(name, sizeof(name), "z%u-%u.ex", second_n, i);
            ask_do(name, "A", NULL);
            made += d.note.signatures[SIGNED_NEW];
        }
    }
    cr_expect(made > 90 && made < 110, "half of a second's, and a third of the other half: %u",
              made);
    ask_do("y5.ey", "A", NULL);
    cr_expect_eq(verify_answer(&d), 3);
}

/* A zone that has many signatures made loses its own first. */
Test(answer_dnssec, zones_do_not_push_each_other_out)
{
    char yaml[1024], name[64];
    unsigned kept = 0;

    dialogue_fini(&d);
    snprintf(yaml, sizeof(yaml),
             "dnssec: {signatures-per-second: 1000000}\n"
             "zones:\n"
             "  - {name: ex, nameservers: ns.ex, dnssec: {key: %s}}\n"
             "  - {name: ey, nameservers: ns.ey, dnssec: {key: %s}}\n",
             first, second);
    dialogue_init(&d, yaml);
    d.client.now_us = 1000000;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 200; i++) {
            snprintf(name, sizeof(name), "y%u.ey", i);
            d.client.now_us += 1000;
            ask_do(name, "A", NULL);
            kept += d.note.signatures[SIGNED_CACHED];
        }
        for (unsigned i = 0; i < 12000 && round == 0; i++) {
            snprintf(name, sizeof(name), "x%u.ex", i);
            d.client.now_us += 1000;
            ask_do(name, "A", NULL);
        }
    }
    cr_expect_gt(kept, 190, "%u of 200", kept);
}

Test(answer_dnssec, signatures_are_made_anew_before_they_expire)
{
    const uint32_t day = 86400;

    cr_assert_not(signatures_due(d.signatures, 0));
    cr_assert_not(signatures_due(d.signatures, 3 * day));
    cr_assert(signatures_due(d.signatures, 4 * day), "after a quarter of 14 days");
    cr_assert(signatures_due(d.signatures, (uint32_t)-60), "when the clock was set back");
    ask_do("nothing.ex", "A", NULL);
    cr_assert_eq(d.note.signatures[SIGNED_NEW], 1);
    ask_do("nothing.ex", "A", NULL);
    cr_assert_eq(d.note.signatures[SIGNED_CACHED], 1);
    cr_assert_eq(d.note.signatures[SIGNED_READY], 2);
    d.client.now = 8 * day;
    d.client.now_us = 8ull * day * 1000000;
    ask_do("nothing.ex", "A", NULL);
    cr_assert_eq(d.note.signatures[SIGNED_NEW], 1, "half of its time is over");
    cr_assert_eq(verify_answer(&d), 3);
    d.client.now = 30 * day;
    d.client.now_us = 30ull * day * 1000000;
    ask_do("nothing.ex", "A", NULL);
    cr_assert_eq(verify_answer(&d), 3, "even when nobody made the others anew");
    cr_assert_eq(d.note.signatures[SIGNED_READY], 0);
}

static const struct signature *find_of(const struct signatures *signatures, const char *text)
{
    uint8_t id[DNSSEC_ID_LEN];
    struct name name;

    cr_assert_eq(name_parse_absolute(span_str(text), &name), 0);
    const struct node *node = zones_node(d.settings->zones, &name);
    const struct signing *zone = node->zone->signing;
    dnssec_id(&(struct signable){zone, zone->keys[0], &name, node->sets}, id);
    return signatures_find(signatures, id);
}

Test(answer_dnssec, a_reload_keeps_the_signatures_that_are_right)
{
    struct signatures_plan plan = {.now = 86400,
                                   .most = SIGNATURES_MAX,
                                   .rate = 1,
                                   .old = d.signatures,
                                   .rankings = d.settings->nearest.rankings,
                                   .ranking_count = d.settings->nearest.ranking_count};
    struct signatures *after = signatures_new(d.settings->zones, &plan);

    cr_assert_eq(signatures_count(after), signatures_count(d.signatures));
    cr_assert_arr_eq(find_of(after, "ns.ex"), find_of(d.signatures, "ns.ex"),
                     sizeof(struct signature));
    cr_assert_not(signatures_due(after, 3 * 86400));
    cr_assert(signatures_due(after, 4 * 86400), "they are as old as the oldest");
    signatures_unref(&after);

    plan.now = 4 * 86400; /* those before are due */
    after = signatures_new(d.settings->zones, &plan);
    cr_assert_neq(find_of(after, "ns.ex")->inception, find_of(d.signatures, "ns.ex")->inception);
    cr_assert_not(signatures_due(after, 5 * 86400));
    signatures_unref(&after);

    plan.now = 86400; /* another validity is configured */
    for (struct signing *zone = d.settings->signings; zone; zone = zone->next) {
        zone->validity /= 2;
    }
    after = signatures_new(d.settings->zones, &plan);
    cr_assert_neq(find_of(after, "ns.ex")->inception, find_of(d.signatures, "ns.ex")->inception);
    signatures_unref(&after);
}

Test(answer_dnssec, what_is_not_signed_ahead_is_signed_when_it_is_asked_for)
{
    dialogue_sign(&d, 3);
    cr_assert_eq(signatures_count(d.signatures), 3);
    ask_do("mail.ex", "MX", NULL);
    cr_assert_eq(verify_answer(&d), 1);
    ask_do("www.ex", "A", "10.1.0.0/16");
    cr_assert_eq(verify_answer(&d), 1);
    ask_do("x.mail.ex", "A", NULL);
    cr_assert_eq(verify_answer(&d), 3);
}

/* ---- the configuration ---- */

static const struct signing *signing_of(const char *apex)
{
    const struct signing *zone = d.settings->signings;
    struct name name;

    cr_assert_eq(name_parse_absolute(span_str(apex), &name), 0);
    while (zone && !name_eq(&zone->apex, &name)) {
        zone = zone->next;
    }
    cr_assert_not_null(zone);
    return zone;
}

/* Thousands of zones may have one: it is read once, and freed once. */
Test(answer_dnssec, zones_with_one_file_share_the_key)
{
    cr_expect_neq(signing_of("ex")->keys[0], signing_of("inner.ex")->keys[0]);
    dialogue_fini(&d);
    load(second, "no");
    cr_expect_eq(signing_of("ex")->keys[0], signing_of("inner.ex")->keys[0]);
}

Test(answer_dnssec, faults_of_the_configuration)
{
    static const struct {
        const char *before;
        bool keys; /* two, the same */
        const char *behind, *want;
    } cases[] = {
        {"dnssec: { key: /nowhere/key.pem }", false, "", "/nowhere/key.pem: cannot be read: "},
        {"dnssec: { key: [", true, "] }", "the same key as one before it"},
        {"dnssec: { cds: yes }", false, "", "there is no key to announce to the parent"},
        {"names: [{ name: a, records: [\"DS 1 13 2 0\"] }]", false, "",
         "expected pairs of hexadecimal"},
        {"names: [{ name: a, records: [\"DS 1 13\"] }]", false, "",
         "expected key tag, algorithm and"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[1024];
        snprintf(yaml, sizeof(yaml),
                 "zones:\n  - name: ex\n    nameservers: [ns.ex]\n    %s%s%s%s%s\n",
                 cases[i].before, cases[i].keys ? first : "", cases[i].keys ? ", " : "",
                 cases[i].keys ? first : "", cases[i].behind);
        char *errors = dialogue_errors(yaml);
        cr_expect_not_null(strstr(errors, cases[i].want), "%s", errors);
        free(errors);
    }
}

Test(answer_dnssec, names_that_could_lie_in_a_proof_are_refused)
{
    char yaml[1024];

    snprintf(yaml, sizeof(yaml),
             "zones:\n  - name: ex\n    nameservers: [ns.ex]\n    dnssec: { key: %s }\n"
             "    names: [{ name: \"a\\\\255\", records: [\"TXT x\"] }]\n",
             first);
    char *errors = dialogue_errors(yaml);
    cr_expect_not_null(strstr(errors, "the byte 255 cannot be in a name of a signed zone"), "%s",
                       errors);
    free(errors);
}
