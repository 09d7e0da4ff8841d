#include "dialogue.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define WORLD                                                                                      \
    "replicas:\n"                                                                                  \
    "  - { name: fra, addresses: [192.0.2.10, 10.0.0.10] }\n"                                      \
    "  - { name: nyc, addresses: 198.51.100.10 }\n"                                                \
    "nearest: { map: [{ prefix: 10.1.0.0/16, replica: fra }, { prefix: 10.2.0.0/16, replica: "     \
    "nyc }] }\n"                                                                                   \
    "resolver: { allow: [10.0.0.0/8, 192.0.2.10, \"2001:db8::/32\"], forward: 192.0.2.200 }\n"     \
    "redirect:\n"                                                                                  \
    "  - { names: [\"*.cdn.example\", one.example], answers: 1, ttl: 20s,\n"                       \
    "      except: [10.2.9.0/24] }\n"                                                              \
    "  - { names: \"*.img.cdn.example\", policy: failover, replicas: [nyc, fra], ttl: 5s }\n"      \
    "zones:\n"                                                                                     \
    "  - name: ex\n"                                                                               \
    "    nameservers: ns.ex\n"                                                                     \
    "    soa: { serial: 7 }\n"                                                                     \
    "    names:\n"                                                                                 \
    "      - { name: www, records: [\"A 192.0.2.1\"] }\n"                                          \
    "      - { name: away, records: [\"CNAME a.example.\"] }\n"                                    \
    "      - { name: twice, records: [\"CNAME away\"] }\n"                                         \
    "      - { name: to-cdn, records: [\"CNAME a.cdn.example.\"] }\n"                              \
    "      - { name: sub, records: [\"NS ns.example.\"] }\n"

static struct dialogue d;
static struct deferral deferral;

static void set_up(void)
{
    dialogue_init(&d, WORLD);
    d.client.deferral = &deferral;
    cr_assert_eq(ip_parse(SPAN("10.1.0.7"), &d.client.ip), 0);
}

static void tear_down(void)
{
    dialogue_fini(&d);
}

TestSuite(recursion, .init = set_up, .fini = tear_down);

struct row {
    const char *client, *name, *type;
    bool no_rd;
    const char *want; /* "-> NAME" when it is left to the resolver */
};

static const char *result(const struct row *row)
{
    static char text[2048];
    char name[NAME_TEXT_MAX];
    struct question q = {
        .name = row->name, .type = row->type, .edns = true, .flags = row->no_rd ? 0 : FLAG_RD};

    cr_assert_eq(ip_parse(span_str(row->client), &d.client.ip), 0);
    const char *got = ask(&d, &q);
    if (!d.note.deferred) {
        return got;
    }
    snprintf(text, sizeof(text), "-> %s%s %u", name_text(&deferral.name, name),
             deferral.authoritative ? " aa" : "", deferral.chain_count);
    return text;
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = result(&rows[i]);
        cr_expect_str_eq(got, rows[i].want, "%s %s %s\n got %s\nwant %s", rows[i].client,
                         rows[i].name, rows[i].type, got, rows[i].want);
    }
}

Test(recursion, only_for_those_who_may)
{
    static const struct row rows[] = {
        {"10.1.0.7", "www.example.org", "A", false, "-> www.example.org. 0"},
        {"2001:db8::7", "www.example.org", "TYPE65", false, "-> www.example.org. 0"},
        {"10.1.0.7", ".", "NS", false, "-> . 0"},
        {"10.1.0.7", "www.example.org", "A", true, "REFUSED ra | edns ede 20"},
        {"203.0.113.5", "www.example.org", "A", false, "REFUSED rd | edns ede 18"},
        {"203.0.113.5", "www.example.org", "A", true, "REFUSED | edns ede 20"},
        {"11.0.0.1", "a.cdn.example", "A", false, "REFUSED rd | edns ede 18"},
        {"10.1.0.7", "www.example.org", "ANY", false,
         "NOERROR rd ra | www.example.org. 3600 HINFO \\07RFC8482\\00 | edns"},
        {"10.1.0.7", "www.example.org", "TYPE249", false, "REFUSED rd ra | edns ede 18"},
        {"10.1.0.7", "www.example.org", "TYPE0", false, "REFUSED rd ra | edns ede 18"},
        {"10.1.0.7", "www.example.org", "AXFR", false, "REFUSED rd ra | edns ede 18"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(recursion, our_zones_come_first)
{
    static const struct row rows[] = {
        {"10.1.0.7", "www.ex", "A", false, "NOERROR aa rd ra | www.ex. 3600 A 192.0.2.1 | edns"},
        {"203.0.113.5", "www.ex", "A", false, "NOERROR aa rd | www.ex. 3600 A 192.0.2.1 | edns"},
        {"10.1.0.7", "no.ex", "A", false,
         "NXDOMAIN aa rd ra | ns ex. 60 SOA ns.ex. hostmaster.ex. 7 3600 900 1209600 60 | edns"},
        {"10.1.0.7", "ex", "DS", false, "-> ex. 0"}, /* its parent is another's */
        {"203.0.113.5", "ex", "DS", false,
         "NOERROR aa rd | ns ex. 60 SOA ns.ex. hostmaster.ex. 7 3600 900 1209600 60 | edns"},
        {"10.1.0.7", "x.sub.ex", "A", false, "-> x.sub.ex. 0"},
        {"203.0.113.5", "x.sub.ex", "A", false,
         "NOERROR rd | ns sub.ex. 3600 NS ns.example. | edns"},
        {"10.1.0.7", "x.sub.ex", "A", true, "NOERROR ra | ns sub.ex. 3600 NS ns.example. | edns"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(recursion, the_end_of_a_chain_is_resolved_too)
{
    static const struct row rows[] = {
        {"10.1.0.7", "away.ex", "A", false, "-> a.example. aa 1"},
        {"10.1.0.7", "twice.ex", "A", false, "-> a.example. aa 2"},
        {"10.1.0.7", "to-cdn.ex", "A", false, "-> a.cdn.example. aa 1"},
        {"203.0.113.5", "to-cdn.ex", "A", false,
         "NOERROR aa rd | to-cdn.ex. 3600 CNAME a.cdn.example. | edns"},
        {"10.1.0.7", "to-cdn.ex", "CNAME", false,
         "NOERROR aa rd ra | to-cdn.ex. 3600 CNAME a.cdn.example. | edns"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(recursion, redirected_names)
{
    static const struct row rows[] = {
        {"10.1.0.7", "a.cdn.example", "A", false,
         "NOERROR rd ra | a.cdn.example. 20 A 192.0.2.10 | edns"},
        {"10.1.0.7", "a.cdn.example", "A", true,
         "NOERROR ra | a.cdn.example. 20 A 192.0.2.10 | edns"},
        {"10.2.0.7", "x.y.a.CDN.example", "A", false,
         "NOERROR rd ra | x.y.a.cdn.example. 20 A 198.51.100.10 | edns"},
        {"10.2.0.7", "one.example", "A", false,
         "NOERROR rd ra | one.example. 20 A 198.51.100.10 | edns"},
        {"10.1.0.7", "a.img.cdn.example", "A", false,
         "NOERROR rd ra | a.img.cdn.example. 5 A 198.51.100.10 | edns"},
        {"10.1.0.7", "img.cdn.example", "A", false,
         "NOERROR rd ra | img.cdn.example. 20 A 192.0.2.10 | edns"},
        {"10.1.0.7", "a.cdn.example", "AAAA", false, "NOERROR rd ra | edns"},
        {"10.1.0.7", "a.cdn.example", "TYPE65", false, "NOERROR rd ra | edns"},
        {"10.1.0.7", "a.cdn.example", "TXT", false, "-> a.cdn.example. 0"},
        {"10.1.0.7", "cdn.example", "A", false, "-> cdn.example. 0"},
        {"10.1.0.7", "xcdn.example", "A", false, "-> xcdn.example. 0"},
        {"10.1.0.7", "a.one.example", "A", false, "-> a.one.example. 0"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(recursion, a_replica_is_not_sent_to_itself)
{
    static const struct row rows[] = {
        {"192.0.2.10", "a.cdn.example", "A", false, "-> a.cdn.example. 0"},
        {"10.0.0.10", "one.example", "A", false, "-> one.example. 0"},
        {"10.2.9.3", "a.cdn.example", "A", false, "-> a.cdn.example. 0"},
        {"10.2.9.3", "a.img.cdn.example", "A", false,
         "NOERROR rd ra | a.img.cdn.example. 5 A 198.51.100.10 | edns"},
        {"198.51.100.10", "a.cdn.example", "A", false, "REFUSED rd | edns ede 18"},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(recursion, nobody_without_a_resolver)
{
    static const struct row rows[] = {
        {"10.1.0.7", "www.example.org", "A", false, "REFUSED rd | edns ede 20"},
        {"10.1.0.7", "a.cdn.example", "A", false, "REFUSED rd | edns ede 20"},
        {"10.1.0.7", "www.ex", "A", false, "NOERROR aa rd | www.ex. 3600 A 192.0.2.1 | edns"},
    };
    d.view.recursion = NULL;
    check(rows, ARRAY_LEN(rows));
}
