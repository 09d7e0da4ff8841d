#include "dialogue.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ZONE                                                                                       \
    "listen: [\"127.0.0.1:5300\"]\n"                                                               \
    "replicas:\n"                                                                                  \
    "  - { name: fra, addresses: [192.0.2.10, \"2001:db8::10\"], location: [50.11, 8.68] }\n"      \
    "  - { name: nyc, addresses: [198.51.100.10], location: [40.71, -74.01] }\n"                   \
    "  - { name: sin, addresses: [203.0.113.10, 203.0.113.11], location: [1.35, 103.82] }\n"       \
    "nearest:\n"                                                                                   \
    "  map:\n"                                                                                     \
    "    - { prefix: 10.1.0.0/16, replica: fra }\n"                                                \
    "    - { prefix: 10.2.0.0/16, replica: nyc }\n"                                                \
    "    - { prefix: 10.3.0.0/16, replica: [sin, nyc] }\n"                                         \
    "    - { prefix: 10.1.4.0/24, replica: nyc }\n"                                                \
    "    - { prefix: \"2001:db8:1::/48\", replica: nyc }\n"                                        \
    "zones:\n"                                                                                     \
    "  - name: cdn.example.net\n"                                                                  \
    "    nameservers: [ns1.cdn.example.net, ns.example.org]\n"                                     \
    "    ttl: 1h\n"                                                                                \
    "    soa: { serial: 7, minimum: 60s, refresh: 2h, retry: 30min, expire: 7d }\n"                \
    "    names:\n"                                                                                 \
    "      - { name: \"@\", records: [\"TXT hello\"] }\n"                                          \
    "      - { name: ns1, records: [\"A 192.0.2.53\", \"AAAA 2001:db8::53\"] }\n"                  \
    "      - { name: www, policy: nearest, ttl: 30s }\n"                                           \
    "      - { name: two, policy: nearest, answers: 2, ttl: 20s }\n"                               \
    "      - { name: \"v[1-24].lscache[1-8]\", policy: hashed, replicas: [fra, nyc] }\n"           \
    "      - { name: mail, records: [\"MX 10 mx.example.net.\", \"300 TXT \\\"a b\\\" c\"] }\n"    \
    "      - { name: alias, records: [\"CNAME www\"] }\n"                                          \
    "      - { name: chain, records: [\"CNAME alias\"] }\n"                                        \
    "      - { name: gone, records: [\"CNAME nothing\"] }\n"                                       \
    "      - { name: away, records: [\"CNAME www.example.org.\"] }\n"                              \
    "      - { name: \"*.wild\", records: [\"A 192.0.2.77\"] }\n"                                  \
    "      - { name: \"*.steer\", policy: nearest }\n"                                             \
    "      - { name: host.wild, records: [\"TXT plain\"] }\n"                                      \
    "      - { name: a.deep.wild, records: [\"TXT plain\"] }\n"                                    \
    "      - { name: sub, records: [\"NS ns.sub\", \"NS ns.example.org.\"] }\n"                    \
    "      - { name: ns.sub, records: [\"A 192.0.2.79\"] }\n"                                      \
    "      - { name: below.sub, records: [\"A 192.0.2.80\"] }\n"                                   \
    "      - { name: three, records: [\"A 192.0.2.1\", \"A 192.0.2.2\", \"A 192.0.2.3\"] }\n"      \
    "      - { name: srv, records: [\"SRV 1 2 443 www\"] }\n"                                      \
    "      - { name: caa, records: [\"CAA 0 issue ca.example\"] }\n"                               \
    "      - { name: odd, records: ['TYPE65 \\# 3 00 0100', '60 type65534 \\# 0'] }\n"

#define SOA                                                                                        \
    "ns cdn.example.net. 60 SOA ns1.cdn.example.net. hostmaster.cdn.example.net. 7 7200 1800 "     \
    "604800 60"

static struct dialogue d;

static void set_up(void)
{
    dialogue_init(&d, ZONE);
}

static void tear_down(void)
{
    dialogue_fini(&d);
}

TestSuite(answer, .init = set_up, .fini = tear_down);

struct row {
    const char *name, *type, *subnet, *want;
};

/* Names are written without the zone; a dot at the end means the whole name. */
static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[300];
        bool whole = rows[i].name[0] && rows[i].name[strlen(rows[i].name) - 1] == '.';
        snprintf(name, sizeof(name), whole ? "%s" : "%s.cdn.example.net", rows[i].name);
        struct question q = {.name = name, .type = rows[i].type, .subnet = rows[i].subnet};
        cr_expect_str_eq(ask(&d, &q), rows[i].want, "%s %s %s\n got %s\nwant %s", rows[i].name,
                         rows[i].type, rows[i].subnet ? rows[i].subnet : "", ask(&d, &q),
                         rows[i].want);
    }
}

Test(answer, rfc1034_4_3_2_records)
{
    static const struct row rows[] = {
        {"mail", "MX", NULL, "NOERROR aa | mail.cdn.example.net. 3600 MX 10 mx.example.net."},
        {"mail", "TXT", NULL, "NOERROR aa | mail.cdn.example.net. 300 TXT \\03a\\20b\\01c"},
        {"srv", "SRV", NULL,
         "NOERROR aa | srv.cdn.example.net. 3600 SRV "
         "\\00\\01\\00\\02\\01\\bb\\03www\\03cdn\\07example\\03net\\00"},
        {"caa", "CAA", NULL, "NOERROR aa | caa.cdn.example.net. 3600 CAA \\00\\05issueca.example"},
        {"cdn.example.net.", "TXT", NULL, "NOERROR aa | cdn.example.net. 3600 TXT \\05hello"},
        {"cdn.example.net.", "SOA", NULL,
         "NOERROR aa | cdn.example.net. 3600 SOA ns1.cdn.example.net. "
         "hostmaster.cdn.example.net. 7 7200 1800 604800 60"},
        {"cdn.example.net.", "NS", NULL,
         "NOERROR aa | cdn.example.net. 3600 NS ns1.cdn.example.net. | cdn.example.net. 3600 NS "
         "ns.example.org. | ar ns1.cdn.example.net. 3600 A 192.0.2.53 | ar ns1.cdn.example.net. "
         "3600 AAAA 2001:db8::53"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer, rfc3597_5_unknown_types)
{
    static const struct row rows[] = {
        {"odd", "HTTPS", NULL, "NOERROR aa | odd.cdn.example.net. 3600 HTTPS \\00\\01\\00"},
        {"odd", "TYPE65534", NULL, "NOERROR aa | odd.cdn.example.net. 60 TYPE65534 "},
        {"odd", "A", NULL, "NOERROR aa | " SOA},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer, rfc2308_2_negative)
{
    static const struct row rows[] = {
        {"nothing", "A", NULL, "NXDOMAIN aa | " SOA},
        {"mail", "A", NULL, "NOERROR aa | " SOA},
        {"lscache1", "A", NULL, "NOERROR aa | " SOA}, /* an empty non-terminal */
        {"x.lscache1", "A", NULL, "NXDOMAIN aa | " SOA},
        {"www", "MX", NULL, "NOERROR aa | " SOA},
        {"www", "TYPE65", NULL, "NOERROR aa | " SOA},
        {"nothing", "A", "10.1.0.0/24", "NXDOMAIN aa | " SOA " | edns scope 24/0"},
        {"www", "MX", "10.1.0.0/24", "NOERROR aa | " SOA " | edns scope 24/0"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer, out_of_zone_is_refused)
{
    static const struct row rows[] = {
        {"example.net.", "A", NULL, "REFUSED"},
        {"example.org.", "A", NULL, "REFUSED"},
        {".", "NS", NULL, "REFUSED"},
        {"xcdn.example.net.", "A", NULL, "REFUSED"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer, rfc4592_wildcards)
{
    static const struct row rows[] = {
        {"x.wild", "A", NULL, "NOERROR aa | x.wild.cdn.example.net. 3600 A 192.0.2.77"},
        {"y.x.wild", "A", NULL, "NOERROR aa | y.x.wild.cdn.example.net. 3600 A 192.0.2.77"},
        {"*.wild", "A", NULL, "NOERROR aa | *.wild.cdn.example.net. 3600 A 192.0.2.77"},
        {"x.wild", "MX", NULL, "NOERROR aa | " SOA},
        {"wild", "A", NULL, "NOERROR aa | " SOA},
        {"host.wild", "A", NULL, "NOERROR aa | " SOA},    /* exists: no wildcard */
        {"x.host.wild", "A", NULL, "NXDOMAIN aa | " SOA}, /* the closest encloser has none */
        {"deep.wild", "A", NULL, "NOERROR aa | " SOA},    /* an empty non-terminal blocks */
        {"b.deep.wild", "A", NULL, "NXDOMAIN aa | " SOA},
        {"any.steer", "A", "10.2.0.0/16",
         "NOERROR aa | any.steer.cdn.example.net. 30 A 198.51.100.10 | edns scope 16/16"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer, rfc1034_3_6_2_cname)
{
    static const struct row rows[] = {
        {"alias", "CNAME", NULL,
         "NOERROR aa | alias.cdn.example.net. 3600 CNAME www.cdn.example.net."},
        {"alias", "A", "10.2.0.0/16",
         "NOERROR aa | alias.cdn.example.net. 3600 CNAME www.cdn.example.net. | "
         "www.cdn.example.net. 30 A 198.51.100.10 | edns scope 16/16"},
        {"chain", "A", "10.2.0.0/16",
         "NOERROR aa | chain.cdn.example.net. 3600 CNAME alias.cdn.example.net. | "
         "alias.cdn.example.net. 3600 CNAME www.cdn.example.net. | "
         "www.cdn.example.net. 30 A 198.51.100.10 | edns scope 16/16"},
        {"gone", "A", NULL,
         "NXDOMAIN aa | gone.cdn.example.net. 3600 CNAME nothing.cdn.example.net. | " SOA},
        {"alias", "MX", NULL,
         "NOERROR aa | alias.cdn.example.net. 3600 CNAME www.cdn.example.net. | " SOA},
        {"away", "A", NULL, "NOERROR aa | away.cdn.example.net. 3600 CNAME www.example.org."},
    };
    check(rows, ARRAY_LEN(rows));
}

#define AT "a.ex. 60 A 192.0.2.1 | ar a.ex. 60 A 192.0.2.2 | ar a.ex. 60 AAAA 2001:db8::1"

/* RFC 1035 3.3.9, RFC 2782, RFC 9460 4.1; what a policy chooses depends on the client, and what a
 * wildcard gives would need a proof. */
Test(additional, rfc9460_4_1_addresses_of_hosts)
{
    dialogue_init(
        &d,
        "listen: ['127.0.0.1:5300']\n"
        "replicas: [{ name: fra, addresses: [192.0.2.10] }]\n"
        "zones:\n"
        "  - name: ex\n"
        "    nameservers: [ns.other]\n"
        "    ttl: 60s\n"
        "    names:\n"
        "      - { name: a, records: [A 192.0.2.1, A 192.0.2.2, 'AAAA 2001:db8::1', TXT x] }\n"
        "      - { name: www, policy: static, records: ['HTTPS 1 .'] }\n"
        "      - { name: '*.w', records: [A 192.0.2.7] }\n"
        "      - { name: alias, records: [CNAME mail] }\n"
        "      - { name: mail, records: [MX 1 a, MX 2 www, MX 3 x.w, MX 4 gone, MX 5 m.org.] }\n"
        "      - { name: nomx, records: [MX 0 .] }\n"
        "      - { name: srv, records: [SRV 1 1 1 a, SRV 1 1 2 a] }\n"
        "      - { name: svc, records: ['HTTPS 1 .', A 192.0.2.3] }\n"
        "      - { name: sa, records: ['HTTPS 1 a'] }\n"
        "      - { name: to, records: ['HTTPS 0 svc'] }\n"
        "      - { name: no, records: ['HTTPS 0 .', A 192.0.2.3] }\n"
        "      - { name: sub, records: [NS ns.sub] }\n"
        "      - { name: ns.sub, records: [A 192.0.2.4] }\n"
        "      - { name: glue, records: [MX 1 ns.sub] }\n");
    static const struct {
        const char *name, *type, *want;
    } cases[] = {
        {"mail.ex", "MX",
         "NOERROR aa | mail.ex. 60 MX 1 a.ex. | mail.ex. 60 MX 2 www.ex. | mail.ex. 60 MX 3 "
         "x.w.ex. | mail.ex. 60 MX 4 gone.ex. | mail.ex. 60 MX 5 m.org. | ar " AT},
        {"alias.ex", "MX",
         "NOERROR aa | alias.ex. 60 CNAME mail.ex. | mail.ex. 60 MX 1 a.ex. | mail.ex. 60 MX 2 "
         "www.ex. | mail.ex. 60 MX 3 x.w.ex. | mail.ex. 60 MX 4 gone.ex. | mail.ex. 60 MX 5 "
         "m.org. | ar " AT},
        {"nomx.ex", "MX", "NOERROR aa | nomx.ex. 60 MX 0 ."},
        {"srv.ex", "SRV",
         "NOERROR aa | srv.ex. 60 SRV \\00\\01\\00\\01\\00\\01\\01a\\02ex\\00 | "
         "srv.ex. 60 SRV \\00\\01\\00\\01\\00\\02\\01a\\02ex\\00 | ar " AT},
        {"svc.ex", "HTTPS",
         "NOERROR aa | svc.ex. 60 HTTPS \\00\\01\\00 | ar svc.ex. 60 A 192.0.2.3"},
        {"sa.ex", "HTTPS", "NOERROR aa | sa.ex. 60 HTTPS \\00\\01\\01a\\02ex\\00 | ar " AT},
        {"to.ex", "HTTPS",
         "NOERROR aa | to.ex. 60 HTTPS \\00\\00\\03svc\\02ex\\00 | ar svc.ex. 60 HTTPS "
         "\\00\\01\\00 | ar svc.ex. 60 A 192.0.2.3"},
        {"no.ex", "HTTPS", "NOERROR aa | no.ex. 60 HTTPS \\00\\00\\00"},
        {"www.ex", "HTTPS", "NOERROR aa | www.ex. 60 HTTPS \\00\\01\\00"},
        {"glue.ex", "MX",
         "NOERROR aa | glue.ex. 60 MX 1 ns.sub.ex. | ar ns.sub.ex. 60 A 192.0.2.4"},
        {"a.ex", "TXT", "NOERROR aa | a.ex. 60 TXT \\01x"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct question q = {.name = cases[i].name, .type = cases[i].type};
        cr_expect_str_eq(ask(&d, &q), cases[i].want, "%s %s\n got %s\nwant %s", cases[i].name,
                         cases[i].type, ask(&d, &q), cases[i].want);
    }
    dialogue_fini(&d);
}

/* Addresses that do not fit are left out, and the answer is whole without them (RFC 2181 9). */
Test(additional, what_does_not_fit_is_left_out)
{
    char yaml[8192];
    size_t n = (size_t)snprintf(yaml, sizeof(yaml),
                                "listen: ['127.0.0.1:5300']\n"
                                "zones:\n"
                                "  - name: ex\n"
                                "    nameservers: [ns.other]\n"
                                "    names:\n"
                                "      - { name: mail, records: [");
    for (unsigned i = 0; i < 20; i++) {
        n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "MX %u h%u,", i, i);
    }
    n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "] }\n");
    for (unsigned i = 0; i < 20; i++) {
        n += (size_t)snprintf(yaml + n, sizeof(yaml) - n,
                              "      - { name: h%u, records: [A 192.0.2.%u] }\n", i, i);
    }
    dialogue_init(&d, yaml);
    struct question plain = {.name = "mail.ex", .type = "MX"};
    const char *got = ask(&d, &plain);
    cr_expect(span_starts(span_str(got), SPAN("NOERROR aa | ")), "%s", got);
    cr_expect(strstr(got, "| ar h0.ex. ") && !strstr(got, "| ar h12.ex. "), "%s", got);
    cr_expect(d.packet_len <= 512 && !d.note.truncated, "%zu", d.packet_len);
    struct question large = {.name = "mail.ex", .type = "MX", .payload = 1232, .edns = true};
    got = ask(&d, &large);
    cr_expect(strstr(got, "| ar h15.ex. ") && !strstr(got, "| ar h16.ex. "), "the first 16: %s",
              got);
    dialogue_fini(&d);
}

/* Longer ones than an answer holds are followed by the resolver. */
Test(chain, ends_after_eight)
{
    struct dialogue long_chain;
    struct question q = {.name = "c1.ex", .type = "A"};
    size_t count = 0;

    dialogue_init(&long_chain, "zones: [{name: ex, nameservers: ns.ex, names: ["
                               "{name: c1, records: CNAME c2}, {name: c2, records: CNAME c3}, "
                               "{name: c3, records: CNAME c4}, {name: c4, records: CNAME c5}, "
                               "{name: c5, records: CNAME c6}, {name: c6, records: CNAME c7}, "
                               "{name: c7, records: CNAME c8}, {name: c8, records: CNAME c9}, "
                               "{name: c9, records: A 192.0.2.1}]}]\n");
    const char *text = ask(&long_chain, &q);
    for (const char *at = text; (at = strstr(at, "CNAME")); at++) {
        count++;
    }
    cr_expect_eq(count, 8, "%s", text);
    cr_expect_null(strstr(text, " A "), "%s", text);
    dialogue_fini(&long_chain);
}

Test(answer, rfc1034_4_2_1_delegations)
{
#define REFERRAL                                                                                   \
    "NOERROR | ns sub.cdn.example.net. 3600 NS ns.sub.cdn.example.net. | ns sub.cdn.example.net. " \
    "3600 NS ns.example.org. | ar ns.sub.cdn.example.net. 3600 A 192.0.2.79"
    static const struct row rows[] = {
        {"sub", "A", NULL, REFERRAL},     {"sub", "NS", NULL, REFERRAL},
        {"x.y.sub", "A", NULL, REFERRAL}, {"below.sub", "A", NULL, REFERRAL},
        {"ns.sub", "A", NULL, REFERRAL},  {"sub", "DS", NULL, "NOERROR aa | " SOA},
        {"x.sub", "DS", NULL, REFERRAL},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer, rfc7871_nearest_and_scope)
{
    static const struct row rows[] = {
        {"www", "A", "10.1.9.0/24",
         "NOERROR aa | www.cdn.example.net. 30 A 192.0.2.10 | edns scope 24/21"},
        {"www", "A", "10.1.128.0/24",
         "NOERROR aa | www.cdn.example.net. 30 A 192.0.2.10 | edns scope 24/17"},
        {"www", "A", "10.1.4.0/24",
         "NOERROR aa | www.cdn.example.net. 30 A 198.51.100.10 | edns scope 24/24"},
        {"www", "A", "10.2.0.0/24",
         "NOERROR aa | www.cdn.example.net. 30 A 198.51.100.10 | edns scope 24/16"},
        {"www", "A", "10.1.0.0/16",
         "NOERROR aa | www.cdn.example.net. 30 A 192.0.2.10 | edns scope 16/22"},
        {"www", "A", "2001:db8:1:200::/56",
         "NOERROR aa | www.cdn.example.net. 30 A 198.51.100.10 | edns scope 56/48"},
        {"www", "A", "::ffff:10.1.9.0/120", /* the family stays, and so does its count of bits */
         "NOERROR aa | www.cdn.example.net. 30 A 192.0.2.10 | edns scope 120/117"},
        {"www", "AAAA", "10.1.9.0/24",
         "NOERROR aa | www.cdn.example.net. 30 AAAA 2001:db8::10 | edns scope 24/21"},
        {"www", "AAAA", "10.2.0.0/24",
         "NOERROR aa | www.cdn.example.net. 30 AAAA 2001:db8::10 | edns scope 24/16"},
        {"mail", "MX", "10.2.0.0/24",
         "NOERROR aa | mail.cdn.example.net. 3600 MX 10 mx.example.net. | edns scope 24/0"},
        {"x.wild", "A", "10.2.0.0/24",
         "NOERROR aa | x.wild.cdn.example.net. 3600 A 192.0.2.77 | edns scope 24/0"},
    };
    check(rows, ARRAY_LEN(rows));
}

/* Resolvers may use an answer with scope 0 for clients of the other family, too. */
Test(family, rfc7871_7_3_1_has_a_scope_where_only_the_other_has_a_map)
{
    dialogue_init(&d,
                  "listen: ['127.0.0.1:5300']\n"
                  "replicas:\n"
                  "  - { name: fra, addresses: [192.0.2.10] }\n"
                  "  - { name: nyc, addresses: [198.51.100.10] }\n"
                  "nearest: { map: [{ prefix: 10.0.0.0/8, replica: fra }] }\n"
                  "zones:\n"
                  "  - name: ex\n"
                  "    nameservers: [ns.other]\n"
                  "    names: [{ name: www, policy: nearest }, { name: all, policy: static }]\n");
    struct question near = {.name = "www.ex", .type = "A", .subnet = "2001:db8::/32"};
    const char *got = ask(&d, &near);
    cr_expect(strstr(got, "192.0.2.10") && strstr(got, "198.51.100.10"), "%s", got);
    cr_expect(strstr(got, "edns scope 32/1"), "%s", got);
    struct question all = {.name = "all.ex", .type = "A", .subnet = "2001:db8::/32"};
    got = ask(&d, &all);
    cr_expect(strstr(got, "edns scope 32/0"), "%s", got);
    dialogue_fini(&d);
}

/* RFC 7871 7.2.1: whoever asks gets the only replica of the name. */
Test(single, an_answer_without_a_choice_has_scope_0)
{
    static const char *const names[] = {"near.ex", "share.ex", "named.ex"};

    dialogue_init(&d, "listen: ['127.0.0.1:5300']\n"
                      "replicas:\n"
                      "  - { name: fra, addresses: [192.0.2.10] }\n"
                      "  - { name: nyc, addresses: [198.51.100.10] }\n"
                      "  - { name: far, target: far.example.org }\n"
                      "nearest: { map: [{ prefix: 10.0.0.0/8, replica: nyc }] }\n"
                      "zones:\n"
                      "  - name: ex\n"
                      "    nameservers: [ns.other]\n"
                      "    names:\n"
                      "      - { name: near, policy: nearest, replicas: [fra] }\n"
                      "      - { name: share, policy: weighted, replicas: [fra] }\n"
                      "      - { name: named, policy: nearest, replicas: [far] }\n"
                      "      - { name: two, policy: nearest, replicas: [fra, nyc] }\n");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct question q = {.name = names[i], .type = "A", .subnet = "10.1.0.0/16"};
        const char *got = ask(&d, &q);
        cr_expect(strstr(got, "edns scope 16/0"), "%s", got);
    }
    struct question two = {.name = "two.ex", .type = "A", .subnet = "10.1.0.0/16"};
    const char *got = ask(&d, &two);
    cr_expect(strstr(got, "edns scope 16/8"), "%s", got);
    dialogue_fini(&d);
}

Test(answer, without_a_subnet_the_resolver_decides)
{
    struct question q = {.name = "www.cdn.example.net", .type = "A"};

    cr_assert_eq(ip_parse(SPAN("10.2.3.4"), &d.client.ip), 0);
    cr_expect_str_eq(ask(&d, &q), "NOERROR aa | www.cdn.example.net. 30 A 198.51.100.10");
    q.subnet = "0.0.0.0/0"; /* RFC 7871 7.1.2: the client does not want to be located */
    cr_expect_str_eq(ask(&d, &q),
                     "NOERROR aa | www.cdn.example.net. 30 A 198.51.100.10 | edns scope 0/0");
}

Test(answer, an_unknown_network_gets_all_replicas_in_turn)
{
    struct question q = {.name = "www.cdn.example.net", .type = "A", .subnet = "172.16.0.0/12"};

    for (d.client.turn = 0; d.client.turn < 6; d.client.turn++) {
        const char *text = ask(&d, &q);
        cr_expect_not_null(strstr(text, "192.0.2.10"), "%s", text);
        cr_expect_not_null(strstr(text, "198.51.100.10"), "%s", text);
        cr_expect_not_null(strstr(text, "203.0.113.10"), "%s", text);
        cr_expect_not_null(strstr(text, "scope 12/1"), "%s", text);
    }
}

Test(answer, answers_are_limited_and_turned)
{
    static const char *const want[] = {
        "NOERROR aa | two.cdn.example.net. 20 A 203.0.113.10 | two.cdn.example.net. 20 A "
        "203.0.113.11 | edns scope 16/16",
        "NOERROR aa | two.cdn.example.net. 20 A 203.0.113.10 | two.cdn.example.net. 20 A "
        "203.0.113.11 | edns scope 16/16",
    };
    struct question q = {.name = "two.cdn.example.net", .type = "A", .subnet = "10.3.0.0/16"};

    for (d.client.turn = 0; d.client.turn < 2; d.client.turn++) {
        cr_expect_str_eq(ask(&d, &q), want[d.client.turn]);
    }
    struct question plain = {.name = "three.cdn.example.net", .type = "A"};
    d.client.turn = 1;
    cr_expect_str_eq(ask(&d, &plain),
                     "NOERROR aa | three.cdn.example.net. 3600 A 192.0.2.2 | three.cdn.example.net."
                     " 3600 A 192.0.2.3 | three.cdn.example.net. 3600 A 192.0.2.1");
}

Test(answer, replicas_that_are_down_leave)
{
    struct question q = {.name = "www.cdn.example.net", .type = "A", .subnet = "10.1.9.0/24"};

    dialogue_set_up(&d, 0, false);
    cr_expect_str_eq(ask(&d, &q),
                     "NOERROR aa | www.cdn.example.net. 30 A 198.51.100.10 | edns scope 24/21",
                     "the next nearest takes over and the scope stays");
    cr_expect_neq(d.note.level, CHOICE_DOWN);
    dialogue_set_up(&d, 1, false);
    dialogue_set_up(&d, 2, false);
    cr_expect_str_eq(ask(&d, &q),
                     "NOERROR aa | www.cdn.example.net. 30 A 192.0.2.10 | edns scope 24/21",
                     "with nobody up the best known is given");
    cr_expect_eq(d.note.level, CHOICE_DOWN);
}

Test(answer, hashed_names_spread_and_move_little)
{
    unsigned fra = 0;
    unsigned moved = 0;

    for (unsigned i = 1; i <= 24; i++) {
        for (unsigned j = 1; j <= 8; j++) {
            char name[64];
            snprintf(name, sizeof(name), "v%u.lscache%u.cdn.example.net", i, j);
            struct question q = {.name = name, .type = "A", .subnet = "10.2.0.0/16"};
            dialogue_set_up(&d, 1, true);
            bool at_fra = strstr(ask(&d, &q), " A 192.0.2.10 | edns scope 16/0") != NULL;
            fra += at_fra;
            dialogue_set_up(&d, 1, false);
            moved += !at_fra;
            cr_expect_not_null(strstr(ask(&d, &q), " A 192.0.2.10 |"));
        }
    }
    cr_expect(fra > 60 && fra < 132, "%u of 192", fra);
    cr_expect_eq(moved, 192 - fra);
}

Test(answer, rfc8482_any_is_minimal)
{
    static const struct row rows[] = {
        {"www", "ANY", NULL, "NOERROR aa | www.cdn.example.net. 3600 HINFO \\07RFC8482\\00"},
        /* 4.2: HINFO is for names that have no CNAME, as nothing may stand beside one */
        {"alias", "ANY", NULL,
         "NOERROR aa | alias.cdn.example.net. 3600 CNAME www.cdn.example.net."},
        {"nothing", "ANY", NULL, "NXDOMAIN aa | " SOA},
        {"lscache1", "ANY", NULL, "NOERROR aa | " SOA},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(answer, transfers_and_other_classes_are_refused)
{
    static const struct row rows[] = {
        {"cdn.example.net.", "AXFR", NULL, "REFUSED"},
        {"cdn.example.net.", "IXFR", NULL, "REFUSED"},
        {"cdn.example.net.", "OPT", NULL, "FORMERR"},
    };
    struct question chaos = {.name = "version.bind", .type = "TXT", .class = 3};

    check(rows, ARRAY_LEN(rows));
    cr_expect_str_eq(ask(&d, &chaos), "REFUSED");
}

Test(answer, the_question_is_echoed_with_its_case)
{
    struct question q = {.name = "wWw.CdN.example.NET", .type = "A"};
    uint8_t query[512], out[DNS_UDP_MAX];
    size_t len = question_write(&q, query, sizeof(query));
    size_t n = answer(&d.view, &d.client, span_of(query, len), out, &d.note);

    cr_assert_gt(n, len);
    cr_expect_arr_eq(out + 12, query + 12, len - 12);
    cr_expect_eq(out[len], 0xc0, "and its name is pointed at");
    cr_expect_eq(out[len + 1], 0x0c);
}

Test(answer, rfc1035_4_1_1_flags)
{
    struct question q = {.name = "mail.cdn.example.net", .type = "MX", .flags = 0x0100};

    cr_expect_str_eq(ask(&d, &q),
                     "NOERROR aa rd | mail.cdn.example.net. 3600 MX 10 mx.example.net.");
    for (uint16_t opcode = 1; opcode < 16; opcode++) {
        q.flags = (uint16_t)(opcode << 11);
        cr_expect_str_eq(ask(&d, &q), "NOTIMP", "opcode %u", opcode);
    }
    q.flags = 0x8000;
    cr_expect_str_eq(ask(&d, &q), "nothing", "responses are not answered");
}

/* A zone with a TXT set of `strings` × 200 bytes at big.example. */
static void big_zone(struct dialogue *big, unsigned strings)
{
    struct buf yaml = BUF_INIT;

    buf_printf(&yaml, "zones: [{name: example, nameservers: [ns.test], names: [{name: big, "
                      "records: [\"TXT");
    for (unsigned i = 0; i < strings; i++) {
        buf_printf(&yaml, " %0200u", i);
    }
    buf_printf(&yaml, "\"]}]}]\n");
    buf_append(&yaml, span_of("", 1));
    dialogue_init(big, buf_span(&yaml).at);
    buf_fini(&yaml);
}

Test(answer, rfc2181_9_truncation)
{
    struct dialogue big;
    struct question q = {.name = "big.example", .type = "TXT"};

    big_zone(&big, 5);
    cr_expect_str_eq(ask(&big, &q), "NOERROR aa tc");
    cr_expect(big.note.truncated);
    q.edns = true;
    q.payload = 512;
    cr_expect_str_eq(ask(&big, &q), "NOERROR aa tc | edns");
    q.payload = 100;
    cr_expect_str_eq(ask(&big, &q), "NOERROR aa tc | edns", "below 512 means 512");
    q.payload = 4096;
    cr_expect_not_null(strstr(ask(&big, &q), "NOERROR aa | big.example. 3600 TXT"));
    dialogue_fini(&big);

    big_zone(&big, 7); /* more than 1232 */
    cr_expect_str_eq(ask(&big, &q), "NOERROR aa tc | edns");
    big.client.tcp = true;
    cr_expect_not_null(strstr(ask(&big, &q), "NOERROR aa | big.example. 3600 TXT"));
    dialogue_fini(&big);
}
