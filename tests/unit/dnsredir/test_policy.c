#include "base/check.h"
#include "dialogue.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char yaml[] =
    "replicas:\n"
    "  - {name: fra, addresses: [192.0.2.10, \"2001:db8::10\"], location: [50.11, 8.68]}\n"
    "  - {name: nyc, addresses: 192.0.2.20, location: [40.71, -74.01]}\n"
    "  - {name: sin, addresses: 192.0.2.30, location: [1.35, 103.82]}\n"
    "  - {name: east, target: edge.east.example.org}\n"
    "  - {name: west, target: west.ex}\n"
    "  - {name: hop, target: near.ex}\n"
    "nearest:\n"
    "  map:\n"
    "    - {prefix: 10.1.0.0/16, replica: fra}\n"
    "    - {prefix: 10.2.0.0/16, replica: nyc}\n"
    "    - {prefix: 10.4.0.0/16, replica: east}\n"
    "    - {prefix: 10.5.0.0/16, replica: west}\n"
    "  regions:\n"
    "    - {name: asia, prefixes: [10.8.0.0/13, \"2001:db8:a::/48\"], replica: sin}\n"
    "    - {name: lab, prefixes: [10.1.128.0/24, 10.2.0.0/24]}\n"
    "zones:\n"
    "  - name: ex\n"
    "    nameservers: ns.ex\n"
    "    names:\n"
    "      - {name: near, policy: nearest, replicas: [fra, nyc, sin], answers: 1}\n"
    "      - name: over\n"
    "        policy: nearest\n"
    "        replicas: [fra, nyc, sin]\n"
    "        answers: 1\n"
    "        map: [{region: lab, replica: sin}, {prefix: 10.0.0.0/13, replica: [nyc, fra]}]\n"
    "      - {name: fail, policy: failover, replicas: [nyc, fra], ttl: 5s}\n"
    "      - {name: all, policy: static, replicas: [fra, nyc]}\n"
    "      - {name: share, policy: weighted, replicas: [fra, nyc], weights: [1, 3], answers: 1}\n"
    "      - {name: pick, policy: weighted, replicas: [west, hop], weights: [1, 3]}\n"
    "      - {name: named, policy: nearest, replicas: [east, west]}\n"
    "      - {name: west, records: [\"A 192.0.2.99\", \"TXT w\"]}\n"
    "      - {name: way, records: [\"CNAME named\"]}\n";

static struct dialogue d;

static void set_up(void)
{
    dialogue_init(&d, yaml);
}

static void tear_down(void)
{
    dialogue_fini(&d);
}

TestSuite(policy, .init = set_up, .fini = tear_down);

struct row {
    const char *name, *type, *subnet, *want;
};

static void run(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct question q = {.name = rows[i].name, .type = rows[i].type, .subnet = rows[i].subnet};
        const char *got = ask(&d, &q);
        cr_expect_str_eq(got, rows[i].want, "%s %s %s\n got %s\nwant %s", rows[i].name,
                         rows[i].type, rows[i].subnet, got, rows[i].want);
    }
}

#define NEAR(address, scope) "NOERROR aa | near.ex. 30 A 192.0.2." address " | edns scope " scope
#define OVER(address, scope) "NOERROR aa | over.ex. 30 A 192.0.2." address " | edns scope " scope

Test(policy, regions_are_the_last_that_knows)
{
    static const struct row rows[] = {
        {"near.ex", "A", "10.1.2.0/24", NEAR("10", "24/16")},
        {"near.ex", "A", "10.9.2.0/24", NEAR("30", "24/13")},
        {"near.ex", "A", "2001:db8:a:1::/64", NEAR("30", "64/48")},
    };
    run(rows, ARRAY_LEN(rows));
}

/* The map of a name decides before all else; where it is silent the common one does, and the scope
 * is the smaller block of the two. */
Test(policy, a_name_may_have_a_map_of_its_own)
{
    static const struct row rows[] = {
        {"over.ex", "A", "10.1.2.0/24", OVER("20", "24/17")},
        {"over.ex", "A", "10.1.128.0/24", OVER("30", "24/24")},
        {"over.ex", "A", "10.2.0.0/24", OVER("30", "24/24")},
        {"over.ex", "A", "10.2.1.0/24", OVER("20", "24/24")},
        {"over.ex", "A", "10.9.2.0/24", OVER("30", "24/13")},
        {"near.ex", "A", "10.1.128.0/24", NEAR("10", "24/16")},
    };
    run(rows, ARRAY_LEN(rows));
    dialogue_set_up(&d, 1, false);
    static const struct row down[] = {{"over.ex", "A", "10.3.2.0/24", OVER("10", "24/16")}};
    run(down, ARRAY_LEN(down));
}

Test(policy, failover_and_static_depend_on_no_client)
{
    static const struct row rows[] = {
        {"fail.ex", "A", "10.1.0.0/16", "NOERROR aa | fail.ex. 5 A 192.0.2.20 | edns scope 16/0"},
        {"fail.ex", "AAAA", "10.1.0.0/16",
         "NOERROR aa | fail.ex. 5 AAAA 2001:db8::10 | edns scope 16/0"},
    };
    run(rows, ARRAY_LEN(rows));
    dialogue_set_up(&d, 1, false);
    static const struct row down[] = {
        {"fail.ex", "A", "10.2.0.0/16", "NOERROR aa | fail.ex. 5 A 192.0.2.10 | edns scope 16/0"},
        {"all.ex", "A", "10.2.0.0/16", "NOERROR aa | all.ex. 30 A 192.0.2.10 | edns scope 16/0"},
    };
    run(down, ARRAY_LEN(down));
}

/* Everybody in a leaf gets the same, or the cache of a resolver would give one client what another
 * one was meant to get. */
Test(policy, weighted_leaves_are_24_and_48_long)
{
    unsigned nyc = 0;

    for (unsigned i = 0; i < 400; i++) {
        char whole[32], half[32], first[256];
        snprintf(whole, sizeof(whole), "10.%u.%u.0/24", i / 256, i % 256);
        snprintf(half, sizeof(half), "10.%u.%u.128/25", i / 256, i % 256);
        struct question q = {.name = "share.ex", .type = "A", .subnet = whole};
        snprintf(first, sizeof(first), "%s", ask(&d, &q));
        cr_assert_not_null(strstr(first, "edns scope 24/24"), "%s", first);
        nyc += strstr(first, "192.0.2.20") != NULL;
        q.subnet = half;
        const char *again = ask(&d, &q);
        cr_assert_not_null(strstr(again, "edns scope 25/24"), "%s", again);
        cr_assert_eq(strstr(again, "192.0.2.20") != NULL, strstr(first, "192.0.2.20") != NULL);
    }
    cr_expect(nyc > 270 && nyc < 330, "%u of 400", nyc);
}

/* A draw by /24, and a map of /16 behind it: the answer is good for the /24. */
Test(policy, rfc7871_7_3_the_scope_of_a_chain_is_its_longest)
{
    unsigned near = 0;

    for (unsigned i = 0; i < 60; i++) {
        char subnet[32];
        snprintf(subnet, sizeof(subnet), "10.1.%u.0/24", i);
        struct question q = {.name = "pick.ex", .type = "A", .subnet = subnet};
        const char *got = ask(&d, &q);
        cr_expect_not_null(strstr(got, "edns scope 24/24"), "%s", got);
        near += strstr(got, "CNAME near.ex.") != NULL;
    }
    cr_expect(near > 20 && near < 60, "%u of 60", near);
}

Test(policy, a_target_is_a_cname_and_is_followed_at_home)
{
    static const struct row rows[] = {
        {"named.ex", "A", "10.4.0.0/16",
         "NOERROR aa | named.ex. 30 CNAME edge.east.example.org. | edns scope 16/16"},
        {"named.ex", "A", "10.5.0.0/16",
         "NOERROR aa | named.ex. 30 CNAME west.ex. | west.ex. 3600 A 192.0.2.99 | edns scope "
         "16/16"},
        {"named.ex", "CNAME", "10.5.0.0/16",
         "NOERROR aa | named.ex. 30 CNAME west.ex. | edns scope 16/16"},
        {"way.ex", "A", "10.4.0.0/16",
         "NOERROR aa | way.ex. 3600 CNAME named.ex. | named.ex. 30 CNAME edge.east.example.org. | "
         "edns scope 16/16"},
    };
    run(rows, ARRAY_LEN(rows));
    dialogue_set_up(&d, 3, false);
    static const struct row down[] = {
        {"named.ex", "TXT", "10.4.0.0/16",
         "NOERROR aa | named.ex. 30 CNAME west.ex. | west.ex. 3600 TXT \\01w | edns scope 16/16"},
    };
    run(down, ARRAY_LEN(down));
}

Test(policy, names_that_choose_alike_share_one)
{
    static const struct {
        const char *how;
        bool shares; /* with the first one */
    } names[] = {
        {"policy: weighted, replicas: [a, b], weights: [1, 2], answers: 1", true},
        {"policy: weighted, replicas: [a, b], weights: [1, 2], answers: 1, ttl: 30s", true},
        {"policy: weighted, replicas: [a, b], weights: [1, 2], answers: 1, ttl: 31s", false},
        {"policy: weighted, replicas: [a, b], weights: [1, 3], answers: 1", false},
        {"policy: weighted, replicas: [b, a], weights: [1, 2], answers: 1", false},
        {"policy: weighted, replicas: [a, c], weights: [1, 2], answers: 1", false},
        {"policy: weighted, replicas: [a, b, c], weights: [1, 2, 1], answers: 1", false},
        {"policy: weighted, replicas: [a, b], weights: [1, 2], answers: 2", false},
        {"policy: weighted, replicas: [a, b], weights: [1, 2], answers: 1, rotate: no", false},
        {"policy: failover, replicas: [a, b], answers: 1", false},
        {"policy: nearest, replicas: [a, b], answers: 1", false},
        {"policy: nearest, replicas: [a, b], answers: 1, map: [{prefix: 10.0.0.0/8, replica: a}]",
         false},
        {"policy: weighted, replicas: [a, b], weights: [1, 2], answers: 1", true},
    };
    struct buf text = BUF_INIT;
    struct dialogue own;

    buf_printf(&text, "replicas: [{name: a, addresses: 192.0.2.1}, {name: b, addresses: "
                      "192.0.2.2}, {name: c, addresses: 192.0.2.3}]\n"
                      "zones: [{name: ex, nameservers: ns.ex, names: [\n");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_printf(&text, "{name: n%zu, %s},\n", i, names[i].how);
    }
    buf_append(&text, SPAN("]}]\n\0"));
    dialogue_init(&own, text.data);
    const struct name_row *rows = own.settings->zone_rows[0].names;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        bool shares = rows[i].compiled == rows[0].compiled;
        cr_expect_eq(shares, names[i].shares, "%s", names[i].how);
    }
    cr_expect_eq(rows[0].compiled, rows[1].compiled);
    cr_expect_neq(rows[10].compiled, rows[11].compiled, "its overrides are its own");
    dialogue_fini(&own);
    buf_fini(&text);
}
