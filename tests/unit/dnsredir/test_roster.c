#include "dialogue.h"

#include "base/mem.h"
#include "dnsredir/health/roster.h"

#include <criterion/criterion.h>

/* Two replicas that nobody probes: they count as up. */
#define WORLD                                                                                      \
    "load: { ramp: 30s }\n"                                                                        \
    "replicas: [{ name: fra, addresses: 192.0.2.1 }, { name: nyc, addresses: 192.0.2.2 }]\n"       \
    "zones: [{ name: ex, nameservers: ns.at, names: [{ name: www, policy: nearest }] }]\n"

static struct dialogue d;
static uv_loop_t loop;
static struct probes *probes;
static struct roster *roster;

static void set_up(void)
{
    dialogue_init(&d, WORLD);
    uv_loop_init(&loop);
    probes = probes_new(&loop, d.settings, NULL, NULL, NULL);
    roster = roster_new();
    roster_adopt(roster, d.settings);
}

static void tear_down(void)
{
    roster_free(&roster);
    probes_close(&probes);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    dialogue_fini(&d);
}

TestSuite(roster, .init = set_up, .fini = tear_down);

/* How many percent of its own clients fra has at this second; -1: it is not open. */
static int clients_at(uint64_t second)
{
    struct standing standing;

    roster_standing(roster, probes, second * 1000, &standing);
    if (!replica_set_has(&standing.open, 0)) {
        return -1;
    }
    return replica_set_has(&standing.throttled, 0)
               ? (int)((standing.keep[0] * 100u + STANDING_ALL / 2) / STANDING_ALL)
               : 100;
}

Test(roster, who_drained_gets_its_clients_back_little_by_little)
{
    cr_expect_eq(clients_at(1), 100, "not at the start");
    roster_drain(roster, SPAN("fra"), true);
    cr_expect_eq(clients_at(2), -1);
    cr_expect_eq(clients_at(100), -1);
    roster_drain(roster, SPAN("fra"), false);
    cr_expect_eq(clients_at(101), 10, "%d", clients_at(101));
    cr_expect_eq(clients_at(116), 50, "%d", clients_at(116));
    cr_expect_eq(clients_at(131), 100, "%d", clients_at(131));
}

Test(roster, who_drained_for_a_moment_has_them_still)
{
    roster_drain(roster, SPAN("fra"), true);
    cr_expect_eq(clients_at(50), -1);
    roster_drain(roster, SPAN("fra"), false);
    cr_expect_eq(clients_at(60), 100, "%d", clients_at(60));
}
