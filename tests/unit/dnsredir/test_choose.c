#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/choose.h"
#include "dnsredir/worker.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { REPLICAS = 4 };

/* Replica i has the addresses 192.0.2.<10i> and up; replica 3 has two of them. */
static struct ip addresses[REPLICAS][2];
static struct replica replicas[REPLICAS];
static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, NULL, 0);
    for (unsigned i = 0; i < REPLICAS; i++) {
        for (unsigned n = 0; n < 2; n++) {
            addresses[i][n] = (struct ip){{[10] = 0xff, 0xff, 192, 0, 2, (uint8_t)(10 * i + n)}};
        }
        replicas[i] = (struct replica){
            .addresses = addresses[i],
            .address_count = i == 3 ? 2 : 1,
            .hash = (i + 1) * UINT64_C(0x9e3779b97f4a7c15),
        };
    }
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(choose, .init = set_up, .fini = tear_down);

static struct ranking *ranking_of(bool ordered, unsigned listed, const char *ids)
{
    size_t count = strlen(ids);
    struct ranking *ranking =
        arena_zalloc(&arena, sizeof(*ranking) + count * sizeof(ranking->ids[0]));

    ranking->ordered = ordered;
    ranking->listed = (uint16_t)listed;
    ranking->count = (uint16_t)count;
    for (size_t i = 0; i < count; i++) {
        ranking->ids[i] = (uint16_t)(ids[i] - '0');
    }
    return ranking;
}

static struct replica_set set_of(const char *ids)
{
    struct replica_set set = {{0}};

    for (; *ids; ids++) {
        replica_set_put(&set, (unsigned)(*ids - '0'), true);
    }
    return set;
}

/* The last bytes of the addresses chosen, such as "10 30 31". */
static const char *chosen(const struct choice *choice)
{
    static char text[128];
    char *to = text;

    *to = '\0';
    for (unsigned i = 0; i < choice->count; i++) {
        to += sprintf(to, "%s%u", i ? " " : "", choice->records[i][choice->record_len - 1]);
    }
    return text;
}

Test(choose, ordered_rankings)
{
    static const struct {
        const char *what, *ids;
        unsigned listed;
        const char *members, *up;
        unsigned answers;
        const char *want;
        bool all_down;
    } cases[] = {
        {"the first one", "2103", 4, "0123", "0123", 0, "20", false},
        {"the first that is up", "2103", 4, "0123", "03", 0, "0", false},
        {"all addresses of the best", "3210", 4, "0123", "0123", 0, "30 31", false},
        {"as many as asked for", "2103", 4, "0123", "0123", 3, "20 10 0", false},
        {"no more than asked for", "3210", 4, "0123", "0123", 1, "30", false},
        {"addresses count, not replicas", "3210", 4, "0123", "0123", 3, "30 31 20", false},
        {"members only", "2103", 4, "01", "0123", 0, "10", false},
        {"those not listed stay out", "2103", 1, "0123", "0123", 3, "20", false},
        {"stand-ins in their order", "2103", 1, "0123", "013", 2, "10 0", false},
        {"nobody is up", "2103", 2, "0123", "", 0, "20", true},
        {"no member is up", "2103", 4, "01", "23", 0, "10", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct replica_set members = set_of(cases[i].members);
        struct replica_set up = set_of(cases[i].up);
        struct policy *policy =
            policy_new(&arena, POLICY_NEAREST, cases[i].answers, 30, replicas, REPLICAS, &members);
        struct choice_input input = {.ranking = ranking_of(true, cases[i].listed, cases[i].ids),
                                     .up = &up};
        struct choice choice;
        choose(policy, &input, &choice);
        cr_expect_str_eq(chosen(&choice), cases[i].want, "%s: %s", cases[i].what, chosen(&choice));
        cr_expect_eq(choice.all_down, cases[i].all_down, "%s", cases[i].what);
    }
}

Test(choose, equals_share_alike_whoever_is_down)
{
    struct replica_set members = set_of("0123");
    struct replica_set up = set_of("013");
    struct policy *policy = policy_new(&arena, POLICY_NEAREST, 1, 30, replicas, REPLICAS, &members);
    struct choice_input input = {.ranking = ranking_of(false, 4, "0123"), .up = &up};
    unsigned counts[40] = {0};

    for (input.turn = 0; input.turn < 3000; input.turn++) {
        struct choice choice;
        choose(policy, &input, &choice);
        cr_assert_eq(choice.count, 1);
        counts[choice.records[0][choice.record_len - 1]]++;
    }
    cr_expect_eq(counts[0], 1000);
    cr_expect_eq(counts[10], 1000);
    cr_expect_eq(counts[20], 0);
    cr_expect_eq(counts[30] + counts[31], 1000);
}

Test(choose, a_family_nobody_has)
{
    struct replica_set members = set_of("0123");
    struct policy *policy = policy_new(&arena, POLICY_NEAREST, 1, 30, replicas, REPLICAS, &members);
    struct choice_input input = {
        .ranking = ranking_of(true, 4, "0123"), .up = &members, .v6 = true};
    struct choice choice;

    cr_expect_not(policy_has(policy, true));
    choose(policy, &input, &choice);
    cr_expect_eq(choice.count, 0);
    cr_expect_not(choice.all_down);
}

Test(choose, hashing_moves_only_the_names_of_a_lost_replica)
{
    struct replica_set members = set_of("0123");
    struct replica_set without = set_of("023");
    struct policy *policy = policy_new(&arena, POLICY_HASHED, 0, 30, replicas, REPLICAS, &members);
    unsigned counts[40] = {0};

    for (uint64_t name = 1; name <= 4000; name++) {
        struct choice_input input = {.name_hash = name * UINT64_C(0xd1342543de82ef95),
                                     .up = &members};
        struct choice before, after;
        choose(policy, &input, &before);
        input.up = &without;
        choose(policy, &input, &after);
        uint8_t was = before.records[0][before.record_len - 1];
        counts[was / 10 * 10]++;
        if (was != 10) {
            cr_assert_eq(after.records[0][after.record_len - 1], was);
        }
    }
    for (unsigned i = 0; i < REPLICAS; i++) {
        cr_expect(counts[10 * i] > 850 && counts[10 * i] < 1150, "%u", counts[10 * i]);
    }
}

/* Stub resolvers ask for A and AAAA in turn: neither may see only every other replica. */
Test(choose, every_kind_of_query_takes_every_turn)
{
    for (uint32_t step = 1; step <= 12; step++) {
        for (uint32_t count = 2; count <= 8; count++) {
            unsigned seen[8] = {0};
            for (uint32_t n = 0; n < 8000; n++) {
                seen[scatter(n * step) % count]++;
            }
            for (uint32_t i = 0; i < count; i++) {
                cr_expect_gt(seen[i], 8000 / count * 9 / 10, "every %u of %u", step, count);
            }
        }
    }
}

/* Most clients take the first address: each must be first equally often. */
Test(choose, every_address_comes_first_as_often)
{
    static const struct {
        const char *what, *ids;
        bool ordered;
        unsigned answers, addresses;
    } cases[] = {
        {"two addresses of one replica", "3", true, 0, 2},
        {"two replicas where nothing is known", "01", false, 0, 2},
        {"three of them", "012", false, 0, 3},
        {"the nearest two", "01", true, 2, 2},
        {"one of two addresses", "3", true, 1, 2},
        {"two of three where nothing is known", "012", false, 2, 3},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct replica_set all = set_of("0123");
        struct policy *policy =
            policy_new(&arena, POLICY_NEAREST, cases[i].answers, 30, replicas, REPLICAS, &all);
        unsigned count = (unsigned)strlen(cases[i].ids);
        struct choice_input input = {.ranking = ranking_of(cases[i].ordered, count, cases[i].ids),
                                     .up = &all};
        unsigned first[40] = {0};
        unsigned seen = 0;
        for (uint32_t n = 0; n < 6000; n += 2) { /* the other half are queries for AAAA */
            struct choice choice;
            input.turn = scatter(n);
            choose(policy, &input, &choice);
            first[choice.records[0][choice.record_len - 1]]++;
        }
        for (size_t n = 0; n < ARRAY_LEN(first); n++) {
            seen += first[n] > 0;
            cr_expect(first[n] == 0 || first[n] > 3000 / cases[i].addresses * 9 / 10, "%s: .%zu %u",
                      cases[i].what, n, first[n]);
        }
        cr_expect_eq(seen, cases[i].addresses, "%s", cases[i].what);
    }
}
