#include "base/check.h"
#include "dnsredir/steering/load.h"
#include "dnsredir/worker.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(load, reports)
{
    static const struct {
        const char *text;
        bool good;
        struct load_report want;
    } cases[] = {
        {"requests=1, bytes=2, connections=3, draining=1, overload=1", true, {1, 2, 3, true, true}},
        {"bytes=18446744073709551615,requests=7", true, {.requests = 7, .bytes = UINT64_MAX}},
        {"requests=1, later=5", true, {.requests = 1}},
        {"", false, {0}},
        {"requests", false, {0}},
        {"requests=-1", false, {0}},
        {"requests=18446744073709551616", false, {0}},
        {"requests=1,,bytes=2", false, {0}},
        {"requests=1, connections=4294967296", true, {.requests = 1, .connections = 1ull << 32}},
        {"requests=1, connections=4294967297", false, {0}},
        {"requests=nan", false, {0}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct load_report got;
        int err = load_report_parse(span_str(cases[i].text), &got);
        cr_expect_eq(err == 0, cases[i].good, "%s", cases[i].text);
        if (cases[i].good) {
            cr_expect_eq(got.requests, cases[i].want.requests, "%s", cases[i].text);
            cr_expect_eq(got.bytes, cases[i].want.bytes, "%s", cases[i].text);
            cr_expect_eq(got.connections, cases[i].want.connections, "%s", cases[i].text);
            cr_expect_eq(got.draining, cases[i].want.draining, "%s", cases[i].text);
            cr_expect_eq(got.overload, cases[i].want.overload, "%s", cases[i].text);
        }
    }
}

Test(load, rates_are_made_of_totals)
{
    struct load_meter meter = {0};

    load_meter_note(&meter, &(struct load_report){.requests = 1000, .bytes = 5000}, 10000);
    cr_expect_not(meter.known, "one total is no rate");
    load_meter_note(&meter, &(struct load_report){.requests = 1200, .bytes = 9000}, 12000);
    cr_expect_eq(load_meter_read(&meter, LOAD_REQUESTS), 100);
    cr_expect_eq(load_meter_read(&meter, LOAD_BYTES), 2000);
    load_meter_note(&meter, &(struct load_report){.requests = 1600, .bytes = 9000}, 14000);
    cr_expect_eq(load_meter_read(&meter, LOAD_REQUESTS), 150, "the mean of 100 and 200");
    load_meter_note(&meter, &(struct load_report){.requests = 5, .connections = 8}, 16000);
    cr_expect_eq(load_meter_read(&meter, LOAD_REQUESTS), 150, "a new process: the old rate holds");
    cr_expect_eq(load_meter_read(&meter, LOAD_CONNECTIONS), 8);
    load_meter_note(&meter, &(struct load_report){.requests = 9}, 16000);
    cr_expect_eq(load_meter_read(&meter, LOAD_REQUESTS), 150, "no time has passed");
}

Test(load, a_leap_of_totals_is_no_rate)
{
    struct load_meter meter = {0};

    load_meter_note(&meter, &(struct load_report){.requests = 100, .bytes = 1000}, 1000);
    load_meter_note(&meter, &(struct load_report){.requests = 200, .bytes = 2000}, 2000);
    load_meter_note(&meter, &(struct load_report){.requests = UINT64_MAX, .bytes = 3000}, 3000);
    cr_expect_eq(load_meter_read(&meter, LOAD_REQUESTS), 100, "requests");
    load_meter_note(&meter, &(struct load_report){.requests = 300, .bytes = 4000}, 4000);
    load_meter_note(&meter, &(struct load_report){.requests = 400, .bytes = UINT64_MAX}, 5000);
    cr_expect_eq(load_meter_read(&meter, LOAD_BYTES), 1000, "bytes");
    load_meter_note(&meter, &(struct load_report){.requests = 500, .bytes = 6000}, 6000);
    load_meter_note(&meter, &(struct load_report){.requests = 700, .bytes = 8000}, 7000);
    cr_expect_eq(load_meter_read(&meter, LOAD_REQUESTS), 150, "and it goes on from there");
    cr_expect_eq(load_meter_read(&meter, LOAD_BYTES), 1500);
}

Test(load, a_replica_that_comes_back_is_ramped_up)
{
    cr_expect_eq(load_ramp(2, 0, 1000), 0.1);
    cr_expect_eq(load_ramp(2, 500, 1000), 0.5);
    cr_expect_eq(load_ramp(0.3, 500, 1000), 0.3);
    cr_expect_eq(load_ramp(2, 1000, 1000), 2);
    cr_expect_eq(load_ramp(2, 0, 0), 2);
}

/* ---- a world: 100,000 clients in regions around replicas ---- */

enum { REPLICAS = 5, CLIENTS = 100000, STEPS = 40 };

struct world {
    struct arena arena;
    struct ip addresses[REPLICAS];
    struct replica replicas[REPLICAS];
    struct policy *policy;
    struct ranking *rankings[REPLICAS]; /* of the clients nearest to each */
    struct standing standing;
    struct load_state states[REPLICAS];
    unsigned got[REPLICAS];
    uint8_t home[CLIENTS], at[CLIENTS];
};

static void world_rank(struct world *w, unsigned home)
{
    struct ranking *ranking =
        arena_zalloc(&w->arena, sizeof(*ranking) + REPLICAS * sizeof(ranking->ids[0]));

    ranking->ordered = true;
    ranking->listed = 1;
    ranking->count = REPLICAS;
    for (unsigned i = 0; i < REPLICAS; i++) { /* they lie on a ring */
        unsigned step = (i + 1) / 2;
        ranking->ids[i] = (uint16_t)((home + (i % 2 ? step : REPLICAS - step)) % REPLICAS);
    }
    w->rankings[home] = ranking;
}

static unsigned home_of(const unsigned *parts, unsigned client)
{
    unsigned home = 0;

    for (unsigned end = parts[0]; client >= end; end += parts[home]) {
        home++;
    }
    return home;
}

/* `parts` of 100 clients are nearest to each replica, whose capacities are given. */
static void world_init(struct world *w, enum policy_kind kind, const unsigned *parts,
                       const double *capacities)
{
    static const uint16_t all[] = {0, 1, 2, 3, 4};
    struct policy_plan plan = {
        .kind = kind, .answers = 1, .members = all, .member_count = REPLICAS};

    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, NULL, 0);
    for (unsigned i = 0; i < REPLICAS; i++) {
        w->addresses[i] = (struct ip){{[10] = 0xff, 0xff, 192, 0, 2, (uint8_t)i}};
        w->replicas[i] = (struct replica){.addresses = &w->addresses[i],
                                          .address_count = 1,
                                          .hash = (i + 1) * UINT64_C(0x9e3779b97f4a7c15)};
        w->states[i] = (struct load_state){
            .capacity = capacities[i], .open = true, .known = true, .level = LOAD_LEVEL_MAX};
        world_rank(w, i);
    }
    w->policy = policy_new(&w->arena, &plan, w->replicas, REPLICAS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        w->home[i] = (uint8_t)home_of(parts, i % 100);
    }
}

/* All clients ask; the load of each replica is what it got. Returns how many moved. */
static unsigned world_ask(struct world *w)
{
    unsigned moved = 0;

    memset(&w->standing, 0, sizeof(w->standing));
    for (unsigned i = 0; i < REPLICAS; i++) {
        replica_set_put(&w->standing.open, i, w->states[i].open);
        load_put_level(&w->standing, i, w->states[i].level);
        w->got[i] = 0;
    }
    w->standing.alive = w->standing.open;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct ip ip = {{[10] = 0xff, 0xff, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        struct choice_input input = {.ranking = w->rankings[w->home[i]],
                                     .standing = &w->standing,
                                     .name_hash = i * UINT64_C(0xd1342543de82ef95),
                                     .turn = scatter(i)};
        struct choice choice;
        input.leaf_hash = choice_leaf_hash(w->policy->kind == POLICY_HASHED ? input.name_hash : 7,
                                           &ip, w->policy->kind == POLICY_HASHED ? 0 : 120);
        choose(w->policy, &input, &choice);
        moved += w->at[i] != choice.ids[0];
        w->at[i] = (uint8_t)choice.ids[0];
        w->got[w->at[i]]++;
    }
    for (unsigned i = 0; i < REPLICAS; i++) {
        w->states[i].load = w->got[i];
    }
    return moved;
}

static const struct load_rules rules = {.spill = 1.25, .least = 100};

/* Steps until it stands still; the share of clients that moved in the last steps. */
static void world_settle(struct world *w)
{
    unsigned moved = 0;

    world_ask(w);
    for (unsigned i = 0; i < STEPS; i++) {
        load_step(w->states, REPLICAS, &rules);
        unsigned now = world_ask(w);
        moved += i >= STEPS - 10 ? now : 0;
    }
    cr_expect_lt(moved, CLIENTS / 10, "%u moves in the last ten steps", moved);
}

/* No replica has more than 1.25 times its share, but for the width of a step. */
static void world_expect_bounded(const struct world *w, const char *what)
{
    double fair[REPLICAS];

    load_fair(w->states, REPLICAS, fair);
    for (unsigned i = 0; i < REPLICAS; i++) {
        cr_expect_leq(w->got[i], 1.25 * fair[i] * 1.06, "%s: replica %u has %u, fair %.0f", what, i,
                      w->got[i], fair[i]);
    }
}

static struct world world;

Test(load, shares_of_100000_clients)
{
    static const struct {
        const char *what;
        unsigned parts[REPLICAS];
        double capacities[REPLICAS];
        enum policy_kind kind;
    } cases[] = {
        {"even", {20, 20, 20, 20, 20}, {1, 1, 1, 1, 1}, POLICY_NEAREST},
        {"half of all are at one", {50, 20, 10, 10, 10}, {1, 1, 1, 1, 1}, POLICY_NEAREST},
        {"nearly all are at one", {92, 2, 2, 2, 2}, {1, 1, 1, 1, 1}, POLICY_NEAREST},
        {"the crowd is at the smallest", {60, 10, 10, 10, 10}, {1, 4, 2, 2, 4}, POLICY_NEAREST},
        {"capacities and hashed names", {20, 20, 20, 20, 20}, {1, 2, 4, 2, 1}, POLICY_HASHED},
        {"weighted, but not by capacity", {20, 20, 20, 20, 20}, {1, 2, 4, 2, 1}, POLICY_WEIGHTED},
        {"in order", {20, 20, 20, 20, 20}, {1, 1, 1, 1, 1}, POLICY_FAILOVER},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        world_init(&world, cases[i].kind, cases[i].parts, cases[i].capacities);
        world_settle(&world);
        world_expect_bounded(&world, cases[i].what);
        if (i == 0) {
            for (unsigned n = 0; n < REPLICAS; n++) {
                cr_expect_eq(world.got[n], CLIENTS / REPLICAS, "nobody moves without need");
            }
        }
        arena_fini(&world.arena);
    }
}

/* Where capacities are in the unit of the load, who has much less than it can do keeps its clients,
 * however idle the others are. */
Test(load, who_is_not_busy_gives_nobody_away)
{
    static const struct load_rules easy = {.spill = 1.25, .easy = 0.7, .least = 100};
    struct load_state states[] = {
        {.capacity = 1000, .open = true, .known = true, .load = 690, .level = LOAD_LEVEL_MAX},
        {.capacity = 1000, .open = true, .known = true, .load = 10, .level = LOAD_LEVEL_MAX},
    };

    load_step(states, ARRAY_LEN(states), &easy);
    cr_expect_float_eq(states[0].level, LOAD_LEVEL_MAX, 1e-9, "%f", states[0].level);
    states[0].load = 710;
    load_step(states, ARRAY_LEN(states), &easy);
    cr_expect_lt(states[0].level, LOAD_LEVEL_MAX);
    states[0].load = 690;
    states[0].level = LOAD_LEVEL_MAX;
    load_step(states, ARRAY_LEN(states), &rules);
    cr_expect_lt(states[0].level, LOAD_LEVEL_MAX, "without it the fair share alone counts");
    for (size_t i = 0; i < ARRAY_LEN(states); i++) { /* all are busy: the fair share counts again */
        states[i].load = 1000;
        states[i].level = 1;
    }
    load_step(states, ARRAY_LEN(states), &easy);
    cr_expect_geq(states[0].level, 1);
}

Test(load, what_spills_goes_to_the_next_nearest)
{
    static const unsigned parts[] = {40, 15, 15, 15, 15};
    static const double capacities[] = {1, 1, 1, 1, 1};
    unsigned to[REPLICAS] = {0};

    world_init(&world, POLICY_NEAREST, parts, capacities);
    world_settle(&world);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (world.home[i] == 0) {
            to[world.at[i]]++;
        } else {
            cr_assert_eq(world.at[i], world.home[i], "who is near a replica with room stays");
        }
    }
    cr_expect_gt(to[1], 3000, "%u", to[1]); /* its first neighbour has room for 10,000 */
    arena_fini(&world.arena);
}

Test(load, a_crowd_that_goes_is_forgotten)
{
    static const unsigned crowd[] = {60, 10, 10, 10, 10}, even[] = {20, 20, 20, 20, 20};
    static const double capacities[] = {1, 1, 1, 1, 1};

    world_init(&world, POLICY_NEAREST, crowd, capacities);
    world_settle(&world);
    cr_expect_lt(world.got[0], 30000);
    struct load_state states[REPLICAS];
    memcpy(states, world.states, sizeof(states));
    arena_fini(&world.arena);
    world_init(&world, POLICY_NEAREST, even, capacities);
    memcpy(world.states, states, sizeof(states));
    world_settle(&world);
    for (unsigned i = 0; i < REPLICAS; i++) {
        cr_expect_eq(world.got[i], CLIENTS / REPLICAS, "%u: %u", i, world.got[i]);
    }
    arena_fini(&world.arena);
}

Test(load, a_drained_replica_is_empty_and_one_that_says_overload_gives_away)
{
    static const unsigned even[] = {20, 20, 20, 20, 20};
    static const double capacities[] = {1, 1, 1, 1, 1};

    world_init(&world, POLICY_NEAREST, even, capacities);
    world.states[2].open = false;
    world_ask(&world);
    cr_expect_eq(world.got[2], 0, "at once, not by steps");
    world.states[2].open = true;
    world.states[1].overload = true;
    world_ask(&world);
    for (unsigned i = 0; i < 20; i++) {
        load_step(world.states, REPLICAS, &rules);
        world_ask(&world);
    }
    cr_expect_lt(world.got[1], 2000, "%u", world.got[1]);
    arena_fini(&world.arena);
}

/* Little load says nothing about who is full. */
Test(load, below_the_least_load_nothing_spills)
{
    struct load_state states[] = {
        {.capacity = 1, .open = true, .known = true, .load = 90, .level = 2},
        {.capacity = 1, .open = true, .known = true, .load = 0, .level = 2},
    };

    load_step(states, 2, &rules);
    cr_expect_eq(states[0].level, 2);
    states[0].load = 101;
    load_step(states, 2, &rules);
    cr_expect_lt(states[0].level, 2);
}

Test(load, without_load_all_take_their_own_again)
{
    static const struct load_rules any_load = {.spill = 1.2};
    struct load_state states[] = {
        {.capacity = 1, .open = true, .known = true, .load = 9, .level = 2},
        {.capacity = 1, .open = true, .known = true, .load = 1, .level = 2},
    };

    for (unsigned i = 0; i < 20; i++) {
        load_step(states, 2, &any_load);
    }
    cr_assert_lt(states[0].level, 1);
    states[0].load = states[1].load = 0;
    for (unsigned i = 0; i < 40; i++) {
        load_step(states, 2, &any_load);
    }
    cr_expect_eq(states[0].level, LOAD_LEVEL_MAX);
}
