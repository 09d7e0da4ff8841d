#include "base/check.h"
#include "dnsredir/steering/estimates.h"

#include <criterion/criterion.h>
#include <inttypes.h>

enum { DAY = 86400, NOW = 10 * DAY };

static struct estimates *table;

static void set_up(void)
{
    table = estimates_new(1000, DAY);
}

static void tear_down(void)
{
    estimates_free(&table);
}

TestSuite(estimates, .init = set_up, .fini = tear_down);

static uint64_t network(uint64_t number)
{
    return NETWORK_V4 | number;
}

static bool note_aged(uint16_t slot, uint64_t number, uint32_t us, uint32_t samples, uint32_t age,
                      uint32_t now)
{
    struct rtt_line line = {.network = network(number), .us = us, .samples = samples, .age = age};
    return estimates_note(table, slot, &line, now);
}

static bool note(uint16_t slot, uint64_t number, uint32_t us, uint32_t samples)
{
    return note_aged(slot, number, us, samples, 0, NOW);
}

static const struct estimate *find(uint16_t slot, uint64_t number)
{
    const struct network_estimates *at = estimates_find(table, network(number));

    for (size_t i = 0; at && i < at->count; i++) {
        if (at->nearest[i].slot == slot) {
            return &at->nearest[i];
        }
    }
    return NULL;
}

static bool is_far(uint16_t slot, uint32_t now)
{
    return estimates_is_far(table, estimates_find(table, network(7)), slot, now);
}

static uint32_t us_of(uint16_t slot, uint64_t number)
{
    const struct estimate *at = find(slot, number);
    return at ? at->us : 0;
}

Test(estimates, what_replicas_say)
{
    cr_expect(note(1, 7, 20000, 10), "a new network");
    cr_expect(note(2, 7, 30000, 10), "a new replica");
    cr_expect_eq(us_of(1, 7), 20000);
    cr_expect_eq(us_of(2, 7), 30000);
    cr_expect_eq(table->count, 1);
    cr_expect(note(1, 7, 25000, 10), "another time");
    cr_expect_eq(us_of(1, 7), 25000);
    cr_expect_not(note(1, 7, 25500, 11), "about the same");
    cr_expect_eq(us_of(1, 7), 25000, "is the same");
}

Test(estimates, few_samples_count_in_part)
{
    note(1, 7, 20000, 100);
    note(1, 7, 60000, 1);
    cr_expect_eq(us_of(1, 7), 25000, "of a replica that has started again");
    cr_expect_eq(find(1, 7)->samples, 100);
    cr_expect(note(2, 7, 20000, 1));
    cr_expect(note(2, 7, 20000, 3), "it counts from now on, perhaps");
}

Test(estimates, ageing)
{
    cr_expect_not(note_aged(1, 7, 20000, 10, DAY + 1, NOW), "too old to be heard");
    cr_expect_null(find(1, 7));
    cr_expect(note_aged(1, 7, 20000, 10, 100, NOW));
    cr_expect_eq(find(1, 7)->at, NOW - 100);
    cr_expect(estimate_is_good(table, find(1, 7), NOW + DAY - 100));
    cr_expect_not(estimate_is_good(table, find(1, 7), NOW + DAY - 99));
    note_aged(1, 7, 20000, 10, 300, NOW);
    cr_expect_eq(find(1, 7)->at, NOW - 100, "what is older does not make it older");
    cr_expect(note_aged(1, 7, 60000, 1, 0, NOW + 2 * DAY), "it was forgotten");
    cr_expect_eq(us_of(1, 7), 60000, "so the new one counts whole");
    cr_expect_eq(find(1, 7)->samples, 1);
}

Test(estimates, the_farthest_of_too_many_leave)
{
    for (uint16_t slot = 0; slot < ESTIMATES_NEAREST; slot++) {
        cr_expect(note(slot, 7, 10000u + 1000u * slot, 10));
    }
    cr_expect_not(note(100, 7, 99000, 10), "farther than all");
    cr_expect_null(find(100, 7));
    cr_expect(is_far(100, NOW + DAY / 2), "which is remembered");
    cr_expect_not(is_far(100, NOW + DAY / 2 + 1), "until it is to be measured again");
    cr_expect_not(is_far(99, NOW));
    cr_expect(note(101, 7, 15500, 10));
    cr_expect_not_null(find(101, 7));
    cr_expect_null(find(ESTIMATES_NEAREST - 1, 7), "the farthest left");
    cr_expect(is_far(ESTIMATES_NEAREST - 1, NOW));
    cr_expect(note(100, 7, 9000, 10), "it is not far any more");
    cr_expect_not(is_far(100, NOW));
    estimates_forget(table, ESTIMATES_NEAREST - 1);
    cr_expect_not(is_far(ESTIMATES_NEAREST - 1, NOW), "another replica");
    cr_expect(note_aged(102, 7, 99000, 10, 0, NOW + DAY + 1), "before what is too old");
    cr_expect_not_null(find(102, 7));
}

static unsigned known(uint64_t from, unsigned count)
{
    unsigned found = 0;

    for (uint64_t i = from; i < from + count; i++) {
        found += estimates_find(table, network(i)) != NULL;
    }
    return found;
}

Test(estimates, it_is_bounded)
{
    for (unsigned i = 0; i < 100000; i++) {
        note(1, i, 1000, 10);
        cr_assert_leq(table->count, 1000);
    }
    cr_expect_gt(table->count, 990);
}

Test(estimates, what_one_replica_makes_up_does_not_push_out_what_several_know)
{
    for (unsigned i = 0; i < 100; i++) {
        note(1, i, 1000, 10);
        note(2, i, 2000, 10);
    }
    for (unsigned i = 0; i < 20000; i++) {
        note_aged(3, 1000 + i, 1000, 10, 0, NOW + 1);
    }
    cr_expect_geq(known(0, 100), 97); /* but where eight of them are in one set */
    for (unsigned i = 0; i < 20000; i++) {
        note_aged(3, 1000 + i, 1000, 10, 0, NOW + DAY + 2);
    }
    cr_expect_leq(known(0, 100), 3, "but when they are too old");
}

Test(estimates, a_replica_that_is_another_one_now)
{
    note(1, 7, 20000, 10);
    note(2, 7, 30000, 10);
    note(1, 8, 20000, 10);
    struct estimates *copy = estimates_copy(table);
    estimates_forget(table, 1);
    cr_expect_null(find(1, 7));
    cr_expect_eq(us_of(2, 7), 30000);
    cr_expect_null(find(1, 8));
    cr_expect_eq(estimates_find(copy, network(8))->count, 1, "a copy is one");
    estimates_free(&copy);
}
