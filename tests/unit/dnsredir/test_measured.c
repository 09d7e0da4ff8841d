/*
 * Measured nearness, from estimates to answers. Replicas lie on the equator, r0 at longitude 0 and
 * each other 10 degrees, that is 1112 km or 11.1 ms by light, further east.
 */
#include "base/check.h"
#include "dialogue.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { DAY = 86400, NOW = 40 * DAY };

#define YAML                                                                                       \
    "replicas:\n"                                                                                  \
    "  - { name: r0, addresses: [192.0.2.10], location: [0, 0] }\n"                                \
    "  - { name: r1, addresses: [192.0.2.11], location: [0, 10] }\n"                               \
    "  - { name: r2, addresses: [192.0.2.12], location: [0, 20] }\n"                               \
    "  - { name: r3, addresses: [192.0.2.13], location: [0, 30] }\n"                               \
    "  - { name: r4, addresses: [192.0.2.14], location: [0, 170] }\n"                              \
    "  - { name: r5, addresses: [192.0.2.15] }\n"                                                  \
    "nearest:\n"                                                                                   \
    "  map: [{ prefix: 10.9.0.0/16, replica: r4 }, { prefix: 10.8.7.64/26, replica: r4 }]\n"       \
    "  regions: [{ name: near, prefixes: [10.0.0.0/8, '2001:db8::/32'],\n"                         \
    "              replica: [r0, r1, r2, r3, r4] }]\n"                                             \
    "zones: [{ name: ex, nameservers: [ns.ex.org], names: [\n"                                     \
    "  { name: www, policy: nearest, answers: 1, ttl: 30s },\n"                                    \
    "  { name: two, policy: nearest, answers: 2, rotate: no },\n"                                  \
    "  { name: own, policy: nearest, answers: 1, map: [{ prefix: 10.1.2.0/24, replica: r3 }] },\n" \
    "  { name: hash, policy: hashed, answers: 1 }] }]\n"

static struct dialogue d;
static struct estimates *estimates;
static struct measured *measured;

static void set_up(void)
{
    dialogue_init(&d, YAML);
    estimates = estimates_new(1000, DAY);
}

static void tear_down(void)
{
    measured_free(&measured);
    estimates_free(&estimates);
    dialogue_fini(&d);
}

TestSuite(measured, .init = set_up, .fini = tear_down);

static uint64_t network(const char *text)
{
    struct prefix prefix;
    const char *what;

    cr_assert_eq(prefix_parse(span_str(text), &prefix, &what), 0, "%s", text);
    cr_assert_neq(network_of_prefix(&prefix), 0, "%s", text);
    return network_of_prefix(&prefix);
}

static void note(unsigned replica, const char *text, double ms, uint32_t age)
{
    struct rtt_line line = {
        .network = network(text), .us = (uint32_t)(1000 * ms), .samples = 10, .age = age};
    estimates_note(estimates, (uint16_t)(100 + replica), &line, NOW);
}

/* "r1=20 r3=7.5" from a network. */
static void note_all(const char *text, const char *times)
{
    unsigned replica;
    double ms;
    int used;

    while (sscanf(times, " r%u=%lf%n", &replica, &ms, &used) == 2) {
        note(replica, text, ms, 0);
        times += used;
    }
    cr_assert_str_empty(times);
}

/* Makes the map; the replicas stand in other slots than their numbers. */
static void compile(void)
{
    uint16_t replica_of[REPLICAS_MAX];

    for (unsigned i = 0; i < REPLICAS_MAX; i++) {
        replica_of[i] = i >= 100 && i < 106 ? (uint16_t)(i - 100) : MEASURED_NOBODY;
    }
    measured_free(&measured);
    measured = measured_new(&(struct measured_input){
        .estimates = estimates,
        .replica_of = replica_of,
        .replicas = d.settings->replicas,
        .replica_count = d.settings->replica_count,
        .base = d.settings->nearest.map,
        .rankings = d.settings->nearest.rankings,
        .now = NOW,
    });
    d.view.measured = measured;
}

static const struct ranking *ranking_of(const char *text)
{
    struct prefix prefix = network_prefix(network(text));
    unsigned bits = ip_is_v4(&prefix.ip) ? 24 : 48;
    return measured->rankings[netmap_find(measured->map, &prefix.ip, bits).value];
}

/* "2 0 1 | 3": the order, and what may be explored. */
static const char *shown(const struct ranking *ranking)
{
    static char text[200];
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < ranking->count + (unsigned)ranking->explorable; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
                                i == ranking->count ? " | "
                                : i                 ? " "
                                                    : "",
                                ranking->ids[i]);
    }
    return text;
}

Test(measured, rankings)
{
    static const struct {
        const char *what, *times, *want;
    } cases[] = {
        {"distance is confirmed; what light cannot reach sooner is left alone", "r0=5 r1=18",
         "0 1 2 3 4 | 5"},
        {"another is nearer", "r0=30 r1=18", "1 2 0 3 4 | 2 3 5"},
        {"by less than a hair", "r0=30 r1=29.8", "0 1 2 3 4 | 2 3 5"},
        {"too little is known: distance's first has not been measured", "r2=40",
         "0 1 2 3 4 | 1 3 0 5"},
        {"but it cannot be as near, so it does not matter", "r2=5", "2 1 3 0 4 | 5"},
        {"the one without a place", "r0=30 r5=3", "5 0 | 1 2"},
        {"a detour to all but the last", "r0=150 r1=160 r2=155 r3=170 r4=90", "4 0 2 1 3 | 5"},
        {"all are known", "r0=10 r1=20 r2=30 r3=40 r4=50 r5=60", "0 1 2 3 4 5"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        estimates_free(&estimates);
        estimates = estimates_new(1000, DAY);
        note_all("10.1.2.0/24", cases[i].times);
        compile();
        cr_expect_str_eq(shown(ranking_of("10.1.2.0/24")), cases[i].want, "%s: %s", cases[i].what,
                         shown(ranking_of("10.1.2.0/24")));
    }
}

Test(measured, ages_and_samples)
{
    note(0, "10.1.2.0/24", 30, 0);
    note(1, "10.1.2.0/24", 18, DAY / 2 + 1);
    compile();
    cr_expect_str_eq(shown(ranking_of("10.1.2.0/24")), "1 2 0 3 4 | 2 3 5",
                     "the best is measured all the time");
    note(0, "10.1.3.0/24", 18, 0);
    note(1, "10.1.3.0/24", 30, DAY / 2 + 1);
    compile();
    cr_expect_str_eq(shown(ranking_of("10.1.3.0/24")), "0 1 2 3 4 | 1 2 3 5",
                     "others are measured again after half the age");
    struct rtt_line line = {.network = network("10.1.4.0/24"), .us = 1000, .samples = 2};
    estimates_note(estimates, 100, &line, NOW);
    line.samples = 9;
    estimates_note(estimates, 7, &line, NOW);
    compile();
    cr_expect_eq(measured->network_count, 2, "too few samples, and somebody unknown");
    cr_expect_eq(measured->moved_count, 1);
}

/* What distance prefers is the farthest of many that were measured: not the same as unknown. */
Test(measured, what_is_too_far_to_be_kept_is_not_tried_again)
{
    struct rtt_line line = {.network = network("10.1.2.0/24"), .us = 10000, .samples = 10};

    note_all("10.1.2.0/24", "r1=18");
    for (uint16_t slot = 1; slot < ESTIMATES_NEAREST; slot++) {
        estimates_note(estimates, slot, &line, NOW); /* replicas that are no more */
    }
    note_all("10.1.2.0/24", "r0=90");
    compile();
    cr_expect_str_eq(shown(ranking_of("10.1.2.0/24")), "1 2 3 4 | 2 3 5", "%s",
                     shown(ranking_of("10.1.2.0/24")));
}

Test(measured, what_networks_nearby_found_is_expected)
{
    note_all("10.1.3.0/24", "r0=30 r3=15");
    note_all("10.1.2.0/24", "r0=30");
    note_all("10.2.2.0/24", "r0=30");
    note_all("10.3.3.0/24", "r0=30 r1=60");
    note_all("10.3.4.0/24", "r0=30 r1=70");
    note_all("10.3.2.0/24", "r0=20");
    compile();
    cr_expect_str_eq(shown(ranking_of("10.1.2.0/24")), "0 3 1 2 4 | 3 1 2 5", "%s",
                     shown(ranking_of("10.1.2.0/24")));
    cr_expect_str_eq(shown(ranking_of("10.2.2.0/24")), "0 1 2 3 4 | 1 2 3 5", "another /16");
    cr_expect_str_eq(shown(ranking_of("10.3.2.0/24")), "0 2 3 1 4 | 2 3 1 5", "a detour: %s",
                     shown(ranking_of("10.3.2.0/24")));
}

static const char *ask_subnet(const char *name, const char *subnet)
{
    return ask(&d, &(struct question){.name = name, .type = "A", .subnet = subnet});
}

/* "... scope 24/16": 16. */
static int scope_of(const char *answer)
{
    const char *at = strrchr(answer, '/');
    return at ? atoi(at + 1) : -1;
}

Test(measured, answers_and_scopes)
{
    static const struct {
        const char *what, *name, *subnet, *address;
        int scope;
    } cases[] = {
        {"measured: the scope is its length", "www.ex", "10.1.2.0/24", "192.0.2.12", 24},
        {"also for who tells more", "www.ex", "10.1.2.128/28", "192.0.2.12", 24},
        {"IPv6", "www.ex", "2001:db8:7:800::/56", "192.0.2.13", 48},
        {"a part of a larger network: distance, and ask again", "www.ex", "10.1.2.0/23",
         "192.0.2.10", 24},
        {"beside it: distance, as far as nothing is measured", "www.ex", "10.1.3.0/24",
         "192.0.2.10", 24},
        {"far from it", "www.ex", "10.128.0.0/24", "192.0.2.10", 9},
        {"the map comes first", "www.ex", "10.9.2.0/24", "192.0.2.14", 16},
        {"also where it knows a part", "www.ex", "10.8.7.0/26", "192.0.2.10", 26},
        {"and the name's own", "own.ex", "10.1.2.0/24", "192.0.2.13", 24},
        {"which says nothing of others", "own.ex", "10.1.4.0/24", "192.0.2.12", 24},
    };

    note_all("10.1.2.0/24", "r0=30 r2=11");
    note_all("10.1.4.0/24", "r0=30 r2=11");
    note_all("10.9.2.0/24", "r0=30 r2=11 r4=50");
    note_all("10.8.7.0/24", "r0=30 r2=11 r4=50");
    note_all("2001:db8:7::/48", "r0=30 r3=11");
    compile();
    cr_expect_eq(measured->network_count, 3);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = ask_subnet(cases[i].name, cases[i].subnet);
        cr_expect(strstr(got, cases[i].address), "%s: %s", cases[i].what, got);
        cr_expect_eq(scope_of(got), cases[i].scope, "%s: %s", cases[i].what, got);
    }
    ask_subnet("www.ex", "10.1.2.0/24");
    cr_expect(d.note.measured);
    ask_subnet("www.ex", "10.1.3.0/24");
    cr_expect_not(d.note.measured);
    ask_subnet("hash.ex", "10.1.2.0/24");
    cr_expect_not(d.note.measured);
}

Test(measured, neighbours_of_one_ranking_are_one_block)
{
    note_all("10.1.2.0/24", "r0=30 r2=11");
    note_all("10.1.3.0/24", "r0=31 r2=12");
    compile();
    cr_expect_eq(scope_of(ask_subnet("www.ex", "10.1.3.0/24")), 23);
    cr_expect_eq(measured->ranking_count, 2);
}

Test(measured, when_replicas_are_down)
{
    note_all("10.1.2.0/24", "r0=30 r2=11");
    compile();
    dialogue_set_up(&d, 2, false);
    cr_expect_not_null(strstr(ask_subnet("www.ex", "10.1.2.0/24"), "192.0.2.11"),
                       "the next by what is expected");
    for (unsigned i = 0; i < 5; i++) {
        dialogue_set_up(&d, i, false);
    }
    cr_expect_not_null(strstr(ask_subnet("www.ex", "10.1.2.0/24"), "192.0.2.15"),
                       "one that stands in the ranking below alone");
}

/* ---- exploring ---- */

static unsigned last_byte(const char *answer)
{
    const char *at = strstr(answer, " A 192.0.2.");
    cr_assert_not_null(at, "%s", answer);
    return (unsigned)atoi(at + 11);
}

Test(measured, a_small_share_explores)
{
    unsigned counts[6] = {0};
    enum { ASKED = 4000 };

    note_all("10.1.2.0/24", "r0=30 r1=18");
    compile();
    d.view.explore = STANDING_ALL / 20;
    for (unsigned i = 0; i < ASKED; i++) {
        d.client.now = 1000000 + 30 * i;
        counts[last_byte(ask_subnet("www.ex", "10.1.2.0/24")) - 10]++;
        cr_assert_eq(d.note.explored, d.note.ids[0] != 1);
        cr_assert(d.note.measured);
    }
    /* A twentieth, give or take five deviations; to those that may be nearer, the first most. */
    unsigned explored = ASKED - counts[1];
    cr_expect(explored > 130 && explored < 270, "%u", explored);
    cr_expect(counts[2] > counts[3] && counts[3] > counts[5] && counts[5] > 0, "%u %u %u",
              counts[2], counts[3], counts[5]);
    cr_expect(counts[0] == 0 && counts[4] == 0, "measured, and too far");
}

/* Everybody in the leaf gets the same, for a ttl at a time. */
Test(measured, exploring_is_sticky)
{
    unsigned changes = 0;
    unsigned before = 0;

    note_all("10.1.2.0/24", "r0=30 r1=18");
    compile();
    d.view.explore = STANDING_ALL / 2;
    for (unsigned second = 0; second < 3000; second++) {
        d.client.now = 1000000 + second;
        unsigned one = last_byte(ask_subnet("www.ex", "10.1.2.0/25"));
        d.client.turn += 12345;
        unsigned other = last_byte(ask_subnet("www.ex", "10.1.2.128/25"));
        cr_assert_eq(one, other);
        changes += one != before;
        before = one;
    }
    cr_expect_lt(changes, 3000 / 30 + 2);
    cr_expect_gt(changes, 30);
}

Test(measured, leaves_and_names_explore_at_times_of_their_own)
{
    unsigned together = 0;
    unsigned any = 0;

    note_all("10.1.2.0/24", "r0=30 r1=18");
    note_all("10.1.4.0/24", "r0=30 r1=18");
    compile();
    d.view.explore = STANDING_ALL / 10;
    for (unsigned i = 0; i < 3000; i++) {
        d.client.now = 1000000 + 30 * i;
        ask_subnet("www.ex", "10.1.2.0/24");
        bool a = d.note.explored;
        ask_subnet("www.ex", "10.1.4.0/24");
        bool b = d.note.explored;
        ask_subnet("own.ex", "10.1.4.0/24");
        bool c = d.note.explored;
        any += a || b || c;
        together += (a && b) || (b && c);
    }
    cr_expect_gt(any, 500);
    cr_expect_lt(together, 150);
}

Test(measured, nobody_is_explored_who_may_not_be_given)
{
    note_all("10.1.2.0/24", "r0=30 r1=18");
    compile();
    d.view.explore = STANDING_ALL;
    ask_subnet("www.ex", "10.1.2.0/24");
    cr_expect(d.note.explored);
    const char *two = ask_subnet("two.ex", "10.1.2.0/24");
    cr_expect(d.note.picked == 2 && d.note.ids[0] != d.note.ids[1], "%s", two);
    dialogue_set_up(&d, 2, false);
    dialogue_set_up(&d, 3, false);
    replica_set_put(&d.standing.open, 5, false);
    ask_subnet("www.ex", "10.1.2.0/24");
    cr_expect_not(d.note.explored, "down, or draining");
    cr_expect_eq(d.note.ids[0], 1);
    replica_set_put(&d.standing.open, 5, true);
    replica_set_put(&d.standing.throttled, 5, true);
    d.standing.any_throttled = true;
    ask_subnet("www.ex", "10.1.2.0/24");
    cr_expect_not(d.note.explored, "too full");
}
