#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/steering/choose.h"
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

/* The members in the order written; `weights` (may be NULL) parallel to them. */
static struct policy *policy_of(enum policy_kind kind, unsigned answers, const char *ids,
                                const uint64_t *weights)
{
    uint16_t members[REPLICAS];
    struct policy_plan plan = {.kind = kind,
                               .answers = answers,
                               .ttl = 30,
                               .members = members,
                               .member_count = strlen(ids),
                               .weights = weights};

    for (size_t i = 0; ids[i]; i++) {
        members[i] = (uint16_t)(ids[i] - '0');
    }
    return policy_new(&arena, &plan, replicas, REPLICAS);
}

/* Those are up, and take all that comes. */
static struct standing *standing_of(const char *ids)
{
    struct standing *standing = arena_zalloc(&arena, sizeof(*standing));

    standing->open = standing->alive = set_of(ids);
    return standing;
}

/* `replica` keeps and takes such parts. */
static void ease(struct standing *standing, unsigned replica, double keep, double take)
{
    replica_set_put(&standing->throttled, replica, true);
    standing->any_throttled = true;
    standing->keep[replica] = (uint32_t)(keep * STANDING_ALL);
    standing->take[replica] = (uint32_t)(take * STANDING_ALL);
}

static uint64_t leaf_of(uint32_t number)
{
    struct ip ip = {
        {[10] = 0xff, 0xff, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
    return choice_leaf_hash(42, &ip, 120);
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
        struct policy *policy = policy_of(POLICY_NEAREST, cases[i].answers, cases[i].members, NULL);
        struct choice_input input = {.ranking = ranking_of(true, cases[i].listed, cases[i].ids),
                                     .standing = standing_of(cases[i].up)};
        struct choice choice;
        choose(policy, &input, &choice);
        cr_expect_str_eq(chosen(&choice), cases[i].want, "%s: %s", cases[i].what, chosen(&choice));
        cr_expect_eq(choice.level == CHOICE_DOWN, cases[i].all_down, "%s", cases[i].what);
    }
}

/* RFC 2181 5: a set of records has no two that are the same. (Of `answers` they are two.) */
Test(choose, an_address_in_common_is_given_once)
{
    struct policy *policy;
    struct choice choice;

    addresses[1][0] = addresses[3][1] = addresses[0][0];
    policy = policy_of(POLICY_FAILOVER, 4, "0132", NULL);
    struct choice_input input = {.standing = standing_of("0123")};
    choose(policy, &input, &choice);
    cr_expect_str_eq(chosen(&choice), "0 30", "%s", chosen(&choice));
}

Test(choose, equals_share_alike_whoever_is_down)
{
    struct policy *policy = policy_of(POLICY_NEAREST, 1, "0123", NULL);
    struct choice_input input = {.ranking = ranking_of(false, 4, "0123"),
                                 .standing = standing_of("013")};
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
    struct policy *policy = policy_of(POLICY_NEAREST, 1, "0123", NULL);
    struct choice_input input = {
        .ranking = ranking_of(true, 4, "0123"), .standing = standing_of("0123"), .v6 = true};
    struct choice choice;

    cr_expect_not(policy_has(policy, true));
    choose(policy, &input, &choice);
    cr_expect_eq(choice.count, 0);
    cr_expect_eq(choice.level, CHOICE_OPEN);
}

Test(choose, hashing_moves_only_the_names_of_a_lost_replica)
{
    struct standing *all = standing_of("0123");
    struct standing *without = standing_of("023");
    struct policy *policy = policy_of(POLICY_HASHED, 0, "0123", NULL);
    unsigned counts[40] = {0};

    for (uint64_t name = 1; name <= 4000; name++) {
        struct choice_input input = {.name_hash = name * UINT64_C(0xd1342543de82ef95),
                                     .standing = all};
        struct choice before, after;
        choose(policy, &input, &before);
        input.standing = without;
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
        struct policy *policy = policy_of(POLICY_NEAREST, cases[i].answers, "0123", NULL);
        unsigned count = (unsigned)strlen(cases[i].ids);
        struct choice_input input = {.ranking = ranking_of(cases[i].ordered, count, cases[i].ids),
                                     .standing = standing_of("0123")};
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

Test(choose, failover_takes_the_first_that_is_open)
{
    static const struct {
        const char *what, *order, *open, *alive;
        unsigned answers;
        const char *want;
        enum choice_level level;
    } cases[] = {
        {"the first", "2103", "0123", "0123", 0, "20", CHOICE_OPEN},
        {"the next", "2103", "013", "013", 0, "10", CHOICE_OPEN},
        {"in order, never turned", "2103", "013", "013", 2, "10 0", CHOICE_OPEN},
        {"draining is like down", "2103", "03", "0123", 0, "0", CHOICE_OPEN},
        {"but better than down", "2103", "", "03", 0, "0", CHOICE_DRAINING},
        {"all down: the first", "2103", "", "", 0, "20", CHOICE_DOWN},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (uint32_t turn = 0; turn < 64; turn++) {
            struct policy *policy =
                policy_of(POLICY_FAILOVER, cases[i].answers, cases[i].order, NULL);
            struct standing *standing = standing_of(cases[i].alive);
            standing->open = set_of(cases[i].open);
            struct choice_input input = {.standing = standing, .turn = scatter(turn)};
            struct choice choice;
            choose(policy, &input, &choice);
            cr_expect_str_eq(chosen(&choice), cases[i].want, "%s", cases[i].what);
            cr_expect_eq(choice.level, cases[i].level, "%s", cases[i].what);
        }
    }
}

Test(choose, static_gives_all_that_are_up)
{
    struct policy *policy = policy_of(POLICY_STATIC, 0, "0123", NULL);
    struct choice_input input = {.standing = standing_of("013")};
    struct choice choice;

    choose(policy, &input, &choice);
    cr_expect_eq(choice.picked, 3);
    cr_expect_eq(choice.count, 4, "replica 3 has two addresses");
}

enum { LEAVES = 100000 };

/* Which replica each leaf gets; what share each replica has, in thousandths. */
static void map_leaves(const struct policy *policy, const struct ranking *ranking,
                       const struct standing *standing, uint8_t *got, unsigned *shares)
{
    memset(shares, 0, REPLICAS * sizeof(*shares));
    for (uint32_t i = 0; i < LEAVES; i++) {
        struct choice_input input = {
            .standing = standing, .ranking = ranking, .leaf_hash = leaf_of(i), .turn = scatter(i)};
        struct choice choice;
        choose(policy, &input, &choice);
        cr_assert_eq(choice.picked, 1);
        got[i] = (uint8_t)choice.ids[0];
        shares[got[i]]++;
    }
    for (unsigned i = 0; i < REPLICAS; i++) {
        shares[i] = (shares[i] + LEAVES / 2000) / (LEAVES / 1000);
    }
}

static bool near(unsigned got, unsigned want)
{
    return got + 10 >= want && got <= want + 10;
}

static uint8_t before[LEAVES], after[LEAVES];

Test(choose, weights_are_shares_and_only_a_lost_ones_leaves_move)
{
    static const uint64_t weights[] = {1, 2, 3, 4};
    struct policy *policy = policy_of(POLICY_WEIGHTED, 1, "0123", weights);
    unsigned shares[REPLICAS];

    map_leaves(policy, NULL, standing_of("0123"), before, shares);
    for (unsigned i = 0; i < REPLICAS; i++) {
        cr_expect(near(shares[i], 100 * (i + 1)), "%u: %u", i, shares[i]);
    }
    map_leaves(policy, NULL, standing_of("012"), after, shares);
    for (unsigned i = 0; i < LEAVES; i++) {
        cr_assert(before[i] == 3 || after[i] == before[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        cr_expect(near(shares[i], 1000 * (i + 1) / 6), "%u: %u of the rest", i, shares[i]);
    }
}

/* Which leaves move when the members and their weights change: only to or from those whose weights
 * change, wherever they stand, and just so many that the shares are right. */
static void expect_moves(const char *was, const uint64_t *weights, const char *is,
                         const uint64_t *others, unsigned moved)
{
    struct standing *all = standing_of("0123");
    unsigned shares[REPLICAS], count = 0;
    uint64_t old[REPLICAS] = {0}, new[REPLICAS] = {0};

    for (unsigned i = 0; was[i]; i++) {
        old[was[i] - '0'] = weights[i];
    }
    for (unsigned i = 0; is[i]; i++) {
        new[is[i] - '0'] = others[i];
    }
    map_leaves(policy_of(POLICY_WEIGHTED, 1, was, weights), NULL, all, before, shares);
    map_leaves(policy_of(POLICY_WEIGHTED, 1, is, others), NULL, all, after, shares);
    for (unsigned i = 0; i < LEAVES; i++) {
        uint8_t from = before[i], to = after[i];
        count += from != to;
        cr_assert(from == to || new[from] < old[from] || new[to] > old[to], "%s to %s", was, is);
    }
    unsigned thousandths = (count + LEAVES / 2000) / (LEAVES / 1000);
    cr_expect(near(thousandths, moved), "%s to %s: %u moved", was, is, thousandths);
}

Test(choose, changed_weights_move_what_they_must)
{
    static const uint64_t equal[] = {1, 1, 1, 1}, more[] = {2, 1, 1, 1}, less[] = {1, 3, 1, 1};
    static const uint64_t tiny[] = {1, 1000000000};

    expect_moves("012", equal, "0123", equal, 250); /* a new one at the end, */
    expect_moves("012", equal, "3012", equal, 250); /* or in front */
    expect_moves("0123", equal, "123", equal, 250); /* the first one goes */
    expect_moves("0123", equal, "3210", equal, 0);  /* another order of writing */
    expect_moves("0123", equal, "0123", more, 150); /* 1/4 becomes 2/5 */
    expect_moves("0123", less, "0123", equal, 250); /* 1/2 becomes 1/4 */
    expect_moves("01", tiny, "1", equal, 0);        /* who had nothing is not missed */
}

/* dns.md: proportional, sticky, monotone. 100,000 clients, all nearest to replica 0. */
Test(choose, spill_is_proportional_sticky_and_monotone)
{
    static const double parts[] = {1, 0.8, 0.5, 0.2, 0.05, 0};
    struct policy *policy = policy_of(POLICY_NEAREST, 1, "0123", NULL);
    struct ranking *ranking = ranking_of(true, 1, "0123");
    unsigned shares[REPLICAS];

    map_leaves(policy, ranking, standing_of("0123"), before, shares);
    cr_expect_eq(shares[0], 1000);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct standing *standing = standing_of("0123");
        ease(standing, 0, parts[i], 0);
        map_leaves(policy, ranking, standing, after, shares);
        cr_expect(near(shares[0], (unsigned)(1000 * parts[i])), "%zu: %u", i, shares[0]);
        cr_expect(near(shares[1], 1000 - (unsigned)(1000 * parts[i])), "the next takes the rest");
        for (unsigned n = 0; n < LEAVES; n++) {
            cr_assert(after[n] != 0 || before[n] == 0, "nobody comes back while it keeps less");
        }
        memcpy(before, after, sizeof(before));
    }
}

Test(choose, what_a_replica_may_absorb_is_capped)
{
    struct policy *policy = policy_of(POLICY_NEAREST, 1, "0123", NULL);
    struct ranking *ranking = ranking_of(true, 4, "0123");
    struct standing *standing = standing_of("0123");
    unsigned shares[REPLICAS];

    ease(standing, 0, 0.5, 0);
    ease(standing, 1, 1, 0.2); /* all of its own, a fifth of what others lose */
    map_leaves(policy, ranking, standing, after, shares);
    cr_expect(near(shares[0], 500) && near(shares[1], 100) && near(shares[2], 400), "%u %u %u",
              shares[0], shares[1], shares[2]);
    ranking->ids[0] = 1;
    ranking->ids[1] = 0;
    map_leaves(policy, ranking, standing, after, shares);
    cr_expect_eq(shares[1], 1000, "it keeps its own");
}

Test(choose, all_too_full_is_the_nearest)
{
    struct policy *policy = policy_of(POLICY_NEAREST, 1, "0123", NULL);
    struct standing *standing = standing_of("0123");
    struct choice_input input = {.standing = standing, .ranking = ranking_of(true, 1, "2103")};
    struct choice choice;

    for (unsigned i = 0; i < REPLICAS; i++) {
        ease(standing, i, 0, 0);
    }
    choose(policy, &input, &choice);
    cr_expect_str_eq(chosen(&choice), "20");
    cr_expect_eq(choice.level, CHOICE_FULL);
    cr_expect(choice.spilled);
}

/* Bounded load: a name that a replica does not keep goes to its own next one, the others stay. */
Test(choose, a_full_replica_gives_away_a_part_of_its_names)
{
    struct policy *policy = policy_of(POLICY_HASHED, 1, "0123", NULL);
    struct standing *all = standing_of("0123");
    struct standing *throttled = standing_of("0123");
    unsigned had = 0, kept = 0, others[REPLICAS] = {0};

    ease(throttled, 1, 0.5, 0);
    for (uint64_t name = 1; name <= 40000; name++) {
        struct choice_input input = {.name_hash = name * UINT64_C(0xd1342543de82ef95),
                                     .standing = all};
        struct choice was, is;
        input.leaf_hash = choice_leaf_hash(input.name_hash, &(struct ip){{0}}, 0);
        choose(policy, &input, &was);
        input.standing = throttled;
        choose(policy, &input, &is);
        if (was.ids[0] != 1) {
            cr_assert_eq(is.ids[0], was.ids[0]);
            continue;
        }
        had++;
        kept += is.ids[0] == 1;
        others[is.ids[0]]++;
    }
    cr_expect(kept > had * 9 / 20 && kept < had * 11 / 20, "%u of %u", kept, had);
    cr_expect(others[0] > had / 8 && others[2] > had / 8 && others[3] > had / 8);
}

/* Forty replicas, of which one alone is not too full: whoever asks gets that one, although an
 * answer holds sixteen at most, and it is the last in the order of many. */
Test(choose, the_last_that_takes_it_is_found)
{
    enum { MANY = 40, FREE = 17 };
    static const enum policy_kind kinds[] = {POLICY_HASHED, POLICY_WEIGHTED};
    struct replica many[MANY];
    uint16_t members[MANY];
    struct standing *standing = standing_of("");

    for (uint16_t i = 0; i < MANY; i++) {
        many[i] = (struct replica){.addresses = addresses[i % REPLICAS],
                                   .address_count = 1,
                                   .hash = (i + 1) * UINT64_C(0x9e3779b97f4a7c15)};
        members[i] = i;
        replica_set_put(&standing->open, i, true);
        if (i != FREE) {
            ease(standing, i, 0, 0);
        }
    }
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct policy_plan plan = {.kind = kinds[k], .members = members, .member_count = MANY};
        struct policy *policy = policy_new(&arena, &plan, many, MANY);
        for (uint32_t n = 0; n < 1000; n++) {
            struct choice_input input = {
                .name_hash = leaf_of(n), .leaf_hash = leaf_of(n), .standing = standing};
            struct choice choice;
            choose(policy, &input, &choice);
            cr_assert_eq(choice.level, CHOICE_OPEN, "%s, %u", policy_words[kinds[k]], n);
            cr_assert_eq(choice.ids[0], FREE);
        }
    }
}
