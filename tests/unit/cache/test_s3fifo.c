#include "cache/store/s3fifo.h"

#include "base/memory.h"

#include <criterion/criterion.h>

#define STEP (UINT64_C(1) << 20)
#define CAPACITY (128 * STEP)

static struct s3fifo policy_for(enum s3_favor favor)
{
    struct s3fifo policy;

    s3fifo_init(&policy, CAPACITY, STEP, favor);
    return policy;
}

static enum s3_fate judge(const struct s3fifo *policy, uint8_t hits, uint64_t size,
                          enum s3_pressure pressure)
{
    struct s3_object object = {.log = S3_PROBATION, .tag = 1, .hits = hits, .size = size};
    uint8_t after;

    return s3fifo_judge(policy, &object, pressure, &after);
}

/* Objects of 1000 bytes, `often` times over; 200 KiB are more than the bar is set by. */
struct mix {
    unsigned count;
    uint8_t hits;
    uint64_t size;
};

static void weigh(struct s3fifo *policy, const struct mix *mix, size_t kinds, unsigned often)
{
    while (often--) {
        for (size_t kind = 0; kind < kinds; kind++) {
            struct s3_object object = {.hits = mix[kind].hits, .size = mix[kind].size};
            for (unsigned i = 0; i < mix[kind].count; i++) {
                s3fifo_weigh(policy, &object, S3_KEEP);
            }
        }
    }
}

Test(s3fifo, the_counter_stops_at_its_bound)
{
    uint8_t hits = S3_HITS_NEW;

    for (unsigned i = 1; i <= 10; i++) {
        hits = s3_hit(hits);
        cr_expect_eq(s3_hits_count(hits), S3_HITS_NEW + i * S3_HITS_USE);
        cr_expect(hits & S3_HITS_USED);
    }
    cr_expect_eq(s3_hits_count(hits), S3_HITS_BOUND);
    cr_expect_eq(s3_hit(hits), hits);
    cr_expect_eq(s3_hits_add(100, 26), S3_HITS_BOUND);
    cr_expect_eq(s3_hits_add(100, 22), 122);
    cr_expect_eq(s3_hits_add(101, 22), 122 | S3_HITS_USED);
    cr_expect_eq(s3_hits_add(0, 127), S3_HITS_BOUND | S3_HITS_USED);
    cr_expect_eq(s3_hits_use(100, 0), 100);
}

Test(s3fifo, what_was_idle_is_seen_on_the_counter_whatever_its_uses)
{
    uint8_t hits = 5 * S3_HITS_USE + S3_HITS_IDLE;

    for (unsigned i = 0; i < 20; i++, hits = s3_hit(hits)) {
        cr_expect(s3_hits_was_idle(hits), "%u", hits);
    }
    cr_expect_eq(hits, S3_HITS_MAX);
    hits = S3_HITS_NEW;
    for (unsigned i = 0; i < 20; i++, hits = s3_hit(hits)) {
        cr_expect_not(s3_hits_was_idle(hits), "%u", hits);
    }
}

Test(s3fifo, what_is_new_is_on_probation_and_what_comes_back_is_not)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);
    uint8_t hits;

    cr_expect_eq(s3fifo_place(&policy, 5, 1000, &hits), S3_PROBATION);
    cr_expect_eq(hits, S3_HITS_NEW);
    s3fifo_remember(&policy, 5, 10);
    cr_expect_eq(s3fifo_place(&policy, 6, 1000, &hits), S3_PROBATION);
    cr_expect_eq(s3fifo_place(&policy, 5, 1000, &hits), S3_MAIN);
    cr_expect_eq(hits, S3_HITS_BACK);
    cr_expect_eq(s3fifo_place(&policy, 5, 1000, &hits), S3_PROBATION, "a ghost helps once");
    cr_expect_eq(hits, S3_HITS_NEW);
    s3fifo_fini(&policy);
}

Test(s3fifo, ghosts_count_as_memory_of_the_store)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);
    uint64_t before = memory_sum(MEMORY_STORE);

    for (uint32_t tag = 1; tag <= 1000; tag++) {
        s3fifo_remember(&policy, tag << 22, 1000);
    }
    cr_expect_eq(memory_sum(MEMORY_STORE), before + 1024 * 4);
    s3fifo_fini(&policy);
    cr_expect_eq(memory_sum(MEMORY_STORE), before);
}

Test(s3fifo, what_comes_back_but_is_below_the_bar_is_on_probation_with_a_use)
{
    /* The fifth above the bar are those with two uses: the bar is at one use of 1000 bytes. */
    static const struct mix mix[] = {{10, 28, 1000}, {20, 16, 1000}, {70, 4, 1000}};
    struct s3fifo policy = policy_for(S3_OBJECTS);
    uint8_t hits;

    weigh(&policy, mix, 3, 10);
    s3fifo_remember(&policy, 5, 10);
    cr_expect_eq(s3fifo_place(&policy, 5, 100000, &hits), S3_PROBATION);
    cr_expect_eq(hits, S3_HITS_BACK);
    s3fifo_remember(&policy, 5, 10);
    cr_expect_eq(s3fifo_place(&policy, 5, 1000, &hits), S3_MAIN, "at the bar is enough for it");
    s3fifo_fini(&policy);
}

Test(s3fifo, probation_has_a_fourteenth_but_two_segments)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);

    cr_expect_eq(s3fifo_victim(&policy, 9 * STEP, 118 * STEP), S3_MAIN);
    cr_expect_eq(s3fifo_victim(&policy, 10 * STEP, 117 * STEP), S3_PROBATION);
    cr_expect_eq(s3fifo_victim(&policy, 3 * STEP, 0), S3_PROBATION, "there is nothing else");
    s3fifo_init(&policy, 8 * STEP, STEP, S3_OBJECTS);
    cr_expect_eq(s3fifo_victim(&policy, 2 * STEP, 5 * STEP), S3_MAIN);
    cr_expect_eq(s3fifo_victim(&policy, 3 * STEP, 4 * STEP), S3_PROBATION);
}

Test(s3fifo, before_anything_is_known_a_use_is_enough)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);

    cr_expect_eq(judge(&policy, 4, 1, S3_CALM), S3_REMEMBER);
    cr_expect_eq(judge(&policy, 16, 1 << 30, S3_CALM), S3_KEEP);
    cr_expect_eq(judge(&policy, 16, 1, S3_PRESSED), S3_REMEMBER);
    cr_expect_eq(judge(&policy, 28, 1, S3_PRESSED), S3_KEEP);
    cr_expect_eq(judge(&policy, 127, 1, S3_CRUSHED), S3_REMEMBER);
}

Test(s3fifo, a_fifth_of_the_bytes_is_above_the_bar)
{
    static const struct mix few[] = {{4, 28, 1000}, {14, 16, 1000}, {82, 4, 1000}};
    static const struct mix many[] = {{3, 52, 1000}, {15, 28, 1000}, {15, 16, 1000}, {67, 4, 1000}};
    struct s3fifo policy = policy_for(S3_OBJECTS);

    weigh(&policy, few, 3, 100); /* 18 of 100 were used, 4 of them twice */
    cr_expect_eq(judge(&policy, 16, 1000, S3_CALM), S3_KEEP);
    cr_expect_eq(judge(&policy, 4, 1000, S3_CALM), S3_REMEMBER);
    cr_expect_eq(judge(&policy, 16, 1000, S3_PRESSED), S3_REMEMBER);
    cr_expect_eq(judge(&policy, 28, 1000, S3_PRESSED), S3_KEEP);
    cr_expect_eq(judge(&policy, 127, 1000, S3_CRUSHED), S3_REMEMBER);

    policy = policy_for(S3_OBJECTS);
    weigh(&policy, many, 4, 100); /* 33 were used, 18 of them twice, 3 four times */
    cr_expect_eq(judge(&policy, 16, 1000, S3_CALM), S3_REMEMBER);
    cr_expect_eq(judge(&policy, 28, 1000, S3_CALM), S3_KEEP);
    cr_expect_eq(judge(&policy, 28, 1000, S3_PRESSED), S3_REMEMBER);
    cr_expect_eq(judge(&policy, 52, 1000, S3_PRESSED), S3_KEEP);
}

Test(s3fifo, what_has_no_uses_left_is_never_kept)
{
    static const struct mix mix[] = {{100, 0, 1000}};
    struct s3fifo policy = policy_for(S3_OBJECTS);

    weigh(&policy, mix, 1, 10);
    cr_expect_eq(judge(&policy, 0, 1, S3_CALM), S3_REMEMBER);
}

/* With the bar at 16 for 1 KiB: what an object of 16 KiB needs to be above it, too. */
static unsigned needed(enum s3_favor favor)
{
    static const struct mix mix[] = {{30, 16, 1024}, {70, 4, 1024}};
    struct s3fifo policy = policy_for(favor);
    uint8_t hits = 1;

    weigh(&policy, mix, 2, 100); /* and as much was kept as may be */
    cr_expect_eq(judge(&policy, 16, 1024, S3_CALM), S3_REMEMBER);
    while (hits < S3_HITS_MAX && judge(&policy, hits, 16384, S3_CALM) != S3_KEEP) {
        hits++;
    }
    return hits;
}

Test(s3fifo, what_is_16_times_as_large_needs_8_or_4_times_the_uses_or_the_same)
{
    /* A class is a quarter of a power of two, and counts are even: above 16 is from 20 on. 8 times
     * 16 is out of reach. */
    cr_expect_eq(needed(S3_BYTES), 20);
    cr_expect_eq(needed(S3_BOTH), 76);
    cr_expect_eq(needed(S3_OBJECTS), S3_HITS_MAX);
}

Test(s3fifo, a_small_object_nobody_has_used_can_be_worth_more_than_a_large_one)
{
    static const struct mix mix[] = {{160, 4, 500}, {2, 16, 500000}};
    struct s3fifo policy = policy_for(S3_OBJECTS);

    weigh(&policy, mix, 2, 10);
    cr_expect_eq(judge(&policy, 4, 500, S3_CALM), S3_KEEP);
    cr_expect_eq(judge(&policy, 16, 500000, S3_CALM), S3_REMEMBER);
    policy = policy_for(S3_BYTES);
    weigh(&policy, mix, 2, 10);
    cr_expect_eq(judge(&policy, 4, 500, S3_CALM), S3_REMEMBER);
}

Test(s3fifo, the_bar_follows_what_is_given_up)
{
    static const struct mix busy[] = {{30, 52, 10000}, {70, 28, 10000}};
    static const struct mix idle[] = {{10, 16, 10000}, {90, 4, 10000}};
    struct s3fifo policy = policy_for(S3_OBJECTS);

    weigh(&policy, busy, 2, 50);
    cr_expect_eq(judge(&policy, 28, 10000, S3_CALM), S3_REMEMBER);
    weigh(&policy, idle, 2, 250); /* 250 MB: twice the store */
    cr_expect_eq(judge(&policy, 16, 10000, S3_CALM), S3_KEEP);
    cr_expect_eq(judge(&policy, 4, 10000, S3_CALM), S3_REMEMBER);
}

/* ---- turns through the main log ---- */

static uint8_t left_of(const struct s3fifo *policy, uint32_t tag, uint8_t hits)
{
    struct s3_object object = {.log = S3_MAIN, .tag = tag, .hits = hits, .size = 1};
    uint8_t left;

    s3fifo_judge(policy, &object, S3_CALM, &left);
    return left;
}

/* What is left of such a counter, in the mean of many objects. */
static double mean_left(const struct s3fifo *policy, uint8_t hits)
{
    uint64_t sum = 0;

    for (uint32_t tag = 0; tag < 10000; tag++) {
        sum += left_of(policy, tag * 77777, hits);
    }
    return (double)sum / 10000;
}

Test(s3fifo, a_turn_costs_a_tenth_in_the_mean)
{
    static const uint8_t counts[] = {0, 2, 4, 10, 16, 40, 78, 100, 124};
    struct s3fifo policy = policy_for(S3_OBJECTS);

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        cr_expect_float_eq(mean_left(&policy, counts[i]), counts[i] * 0.9, 0.3, "%u", counts[i]);
        uint8_t used = counts[i] | S3_HITS_USED;
        cr_expect_float_eq(mean_left(&policy, used), counts[i] * 0.9, 0.3, "%u, used", counts[i]);
    }
}

Test(s3fifo, each_turn_has_its_own_luck)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);
    struct s3_object other = {.log = S3_MAIN, .size = 1000};
    unsigned stays = 0;

    for (unsigned turn = 0; turn < 100; turn++) {
        stays += left_of(&policy, 7, 10) == 10;
        s3fifo_weigh(&policy, &other, S3_REMEMBER);
    }
    cr_expect(stays > 30 && stays < 70, "%u", stays); /* 9 is between 8 and 10 */
}

Test(s3fifo, on_probation_it_costs_nothing)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);

    for (unsigned hits = 0; hits <= S3_HITS_MAX; hits++) {
        struct s3_object object = {.log = S3_PROBATION, .hits = (uint8_t)hits, .size = 1};
        uint8_t after;
        s3fifo_judge(&policy, &object, S3_CALM, &after);
        cr_expect_eq(after, s3_hits_count((uint8_t)hits), "a turn begins without a use");
    }
}

Test(s3fifo, only_what_was_hot_and_idle_is_seen_to_have_been)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);

    for (unsigned hits = 0; hits <= S3_HITS_MAX; hits++) {
        bool idle = hits >= S3_HITS_HOT && !(hits & S3_HITS_USED);
        for (uint32_t tag = 0; tag < 100; tag++) {
            uint8_t left = left_of(&policy, tag * 77777, (uint8_t)hits);
            cr_expect_eq(s3_hits_was_idle(left), idle, "%u of %u", left, hits);
            cr_expect_not(left & S3_HITS_USED);
            cr_expect_leq(left, S3_HITS_BOUND);
        }
    }
}

/* ---- what is dead ---- */

/* A thousand hot objects and a thousand that were hot and idle a turn ago; of a hundred so many
 * were not used since. */
static void turn(struct s3fifo *policy, unsigned idle, unsigned again)
{
    for (unsigned i = 0; i < 1000; i++) {
        bool hot_used = i * 37 % 100 >= idle, idle_used = i * 37 % 100 >= again;
        struct s3_object hot = {.log = S3_MAIN, .hits = (uint8_t)(88 | hot_used), .size = STEP};
        struct s3_object was_idle = hot;
        was_idle.hits = (uint8_t)(90 | idle_used);
        s3fifo_weigh(policy, &hot, S3_REMEMBER);
        s3fifo_weigh(policy, &was_idle, S3_REMEMBER);
    }
}

static struct s3fifo after_turns(unsigned idle, unsigned again)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);

    for (unsigned turns = 0; turns < 10; turns++) {
        turn(&policy, idle, again);
    }
    return policy;
}

/* Segments that probation may have. */
static unsigned probation(const struct s3fifo *policy)
{
    unsigned segments = 0;

    while (s3fifo_victim(policy, segments * STEP, STEP) == S3_MAIN) {
        segments++;
    }
    return segments;
}

Test(s3fifo, the_more_of_the_idle_stay_so_the_faster_the_idle_fade)
{
    static const struct {
        unsigned again;
        double left; /* of 100 */
    } cases[] = {{10, 90}, {55, 90}, {66, 71}, {78, 51}, {90, 28}, {100, 9}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct s3fifo policy = after_turns(20, cases[i].again);
        cr_expect_float_eq(mean_left(&policy, 100), cases[i].left, 4, "%u %%", cases[i].again);
        cr_expect_float_eq(mean_left(&policy, 101), 90, 0.5, "what was used does not");
    }
}

Test(s3fifo, what_is_idle_among_the_dead_is_worth_less_than_what_was_used)
{
    static const struct mix mix[] = {{15, 64, 1000}, {85, 16, 1000}};
    struct s3fifo policy = after_turns(20, 100);
    struct s3_object object = {.log = S3_MAIN, .hits = 88, .size = 1000};
    uint8_t hits;

    weigh(&policy, mix, 2, 1000);
    cr_expect_eq(s3fifo_judge(&policy, &object, S3_CALM, &hits), S3_REMEMBER);
    object.hits |= S3_HITS_USED;
    cr_expect_eq(s3fifo_judge(&policy, &object, S3_CALM, &hits), S3_KEEP);
    object.hits = 88;
    object.log = S3_PROBATION;
    cr_expect_eq(s3fifo_judge(&policy, &object, S3_CALM, &hits), S3_KEEP, "it is not idle there");
}

Test(s3fifo, the_more_of_the_hot_die_the_longer_is_probation)
{
    static const struct {
        unsigned idle, again, segments;
    } cases[] = {{30, 40, 10},  {90, 40, 10},  {10, 100, 10},
                 {21, 100, 30}, {32, 100, 52}, {80, 78, 52}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct s3fifo policy = after_turns(cases[i].idle, cases[i].again);
        double segments = probation(&policy); /* what is seen is whole percents, of the last few */
        cr_expect_float_eq(segments, cases[i].segments, 2.5, "%u and %u %%: %g", cases[i].idle,
                           cases[i].again, segments);
    }
}

Test(s3fifo, until_idle_ones_were_seen_again_it_is_how_many_there_are)
{
    static const struct {
        unsigned idle;
        double left; /* of 100 */
    } cases[] = {{10, 90}, {29, 90}, {40, 50}, {60, 9}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct s3fifo policy = policy_for(S3_OBJECTS);
        for (unsigned n = 0; n < 1000; n++) {
            bool used = n * 37 % 100 >= cases[i].idle;
            struct s3_object object = {.log = S3_MAIN, .hits = (uint8_t)(88 | used), .size = 1};
            s3fifo_weigh(&policy, &object, S3_REMEMBER);
        }
        cr_expect_float_eq(mean_left(&policy, 100), cases[i].left, 5, "%u %%", cases[i].idle);
    }
}

Test(s3fifo, and_when_the_idle_are_used_again_they_fade_as_the_others)
{
    struct s3fifo policy = after_turns(40, 100);

    cr_expect_lt(mean_left(&policy, 100), 15);
    for (unsigned turns = 0; turns < 10; turns++) {
        turn(&policy, 10, 40);
    }
    cr_expect_float_eq(mean_left(&policy, 100), 90, 0.5);
    cr_expect_eq(probation(&policy), 10);
}

Test(s3fifo, a_few_say_nothing_and_neither_does_what_was_not_hot)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);
    struct s3_object object = {.log = S3_MAIN, .hits = 90, .size = STEP};

    for (unsigned i = 0; i < 63; i++) {
        s3fifo_weigh(&policy, &object, S3_REMEMBER);
    }
    object.hits = 88;
    for (unsigned i = 0; i < 255; i++) {
        s3fifo_weigh(&policy, &object, S3_REMEMBER);
    }
    object.hits = 76;
    for (unsigned i = 0; i < 1000; i++) {
        s3fifo_weigh(&policy, &object, S3_REMEMBER);
    }
    object = (struct s3_object){.log = S3_PROBATION, .hits = 88, .size = STEP};
    for (unsigned i = 0; i < 1000; i++) {
        s3fifo_weigh(&policy, &object, S3_REMEMBER);
    }
    cr_expect_float_eq(mean_left(&policy, 100), 90, 0.5);
}

Test(s3fifo, any_size_and_any_count_have_a_class)
{
    static const uint64_t sizes[] = {0, 1, 2, 1000, UINT64_C(1) << 40, UINT64_MAX / 4};

    for (enum s3_favor favor = S3_OBJECTS; favor <= S3_BYTES; favor++) {
        struct s3fifo policy = policy_for(favor);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            for (unsigned hits = 0; hits <= S3_HITS_MAX; hits++) {
                struct s3_object object = {.hits = (uint8_t)hits, .size = sizes[i]};
                s3fifo_weigh(&policy, &object, S3_REMEMBER);
            }
        }
        cr_expect_lt(policy.scale.bar, S3_CLASSES);
    }
}

/* All of the same worth: as much of it is kept as may be. */
Test(s3fifo, at_the_bar_there_is_as_much_as_there_is_room_for)
{
    struct s3fifo policy = policy_for(S3_BYTES);
    struct s3_object object = {.log = S3_MAIN, .hits = 16, .size = 10000};
    uint64_t kept = 0;
    uint8_t after;

    for (unsigned i = 0; i < 100000; i++) { /* a gigabyte, eight times the store */
        enum s3_fate fate = s3fifo_judge(&policy, &object, S3_CALM, &after);
        kept += fate == S3_KEEP;
        s3fifo_weigh(&policy, &object, fate);
    }
    cr_expect(kept > 16000 && kept < 18500, "%u", (unsigned)kept);
    object.hits = S3_HITS_NEW; /* but not of what was asked for only once */
    for (unsigned i = 0; i < 100000; i++) {
        s3fifo_weigh(&policy, &object, S3_REMEMBER);
    }
    cr_expect_eq(judge(&policy, S3_HITS_NEW, 10000, S3_CALM), S3_REMEMBER);
    cr_expect_eq(judge(&policy, 16, 10000, S3_CALM), S3_KEEP);
}

/* Whatever comes, what is copied stays at a fifth of what is given up. */
Test(s3fifo, copying_is_bounded)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);
    uint64_t kept = 0, all = 0, random = 1;

    for (unsigned i = 0; i < 400000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        struct s3_object object = {
            .log = S3_MAIN,
            .hits = (uint8_t)((random >> 40) % (1 + i / 4000)), /* more and more are used */
            .size = UINT64_C(64) << ((random >> 33) % 12),
        };
        uint8_t after;
        enum s3_fate fate = s3fifo_judge(&policy, &object, S3_CALM, &after);
        kept += fate == S3_KEEP ? object.size : 0;
        all += object.size;
        s3fifo_weigh(&policy, &object, fate);
    }
    cr_expect_leq(kept, all * 22 / 100, "%g %%", 100.0 * (double)kept / (double)all);
    cr_expect_geq(kept, all * 15 / 100, "%g %%", 100.0 * (double)kept / (double)all);
}
