#include "cache/store/s3fifo.h"

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
        cr_expect_eq(hits, S3_HITS_NEW + i * S3_HITS_USE);
    }
    cr_expect_eq(s3_hit(hits), S3_HITS_HOT);
    cr_expect_eq(s3_hit(S3_HITS_HOT), S3_HITS_HOT);
    cr_expect_eq(s3_hits_add(100, 27), S3_HITS_HOT);
    cr_expect_eq(s3_hits_add(100, 25), 125);
    cr_expect_eq(s3_hits_add(0, 127), S3_HITS_HOT);
}

Test(s3fifo, a_mark_stays_on_the_counter)
{
    uint8_t hits = S3_HITS_MARK;

    for (unsigned i = 1; i <= 4; i++) {
        hits = s3_hit(hits);
        cr_expect_eq(hits, S3_HITS_MARK + i * S3_HITS_USE);
        cr_expect(s3_hits_marked(hits));
    }
    cr_expect_geq(hits, S3_HITS_HOT, "four uses, and it is hot again");
    cr_expect_eq(s3_hit(hits), hits);
    cr_expect_eq(s3_hits_add(S3_HITS_MARK, 127), S3_HITS_MAX);
    for (hits = S3_HITS_NEW; hits < S3_HITS_HOT; hits = s3_hit(hits)) {
        cr_expect_not(s3_hits_marked(hits));
    }
    cr_expect_not(s3_hits_marked(hits));
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
    /* A class is a quarter of a power of two: above 16 is from 19 on. 8 times 16 is out of reach.
     */
    cr_expect_eq(needed(S3_BYTES), 19);
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

Test(s3fifo, a_turn_through_the_main_log_costs_a_tenth)
{
    static const struct {
        uint8_t before, main;
    } cases[] = {{127, 79}, {126, 79}, {125, 78}, {88, 78}, {80, 72}, {61, 54},
                 {16, 14},  {10, 9},   {4, 3},    {1, 0},   {0, 0}};
    struct s3fifo policy = policy_for(S3_OBJECTS);
    uint8_t after;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct s3_object object = {.log = S3_MAIN, .hits = cases[i].before, .size = 1};
        s3fifo_judge(&policy, &object, S3_CALM, &after);
        cr_expect_eq(after, cases[i].main, "%u", cases[i].before);
        object.log = S3_PROBATION;
        s3fifo_judge(&policy, &object, S3_CALM, &after);
        cr_expect_eq(after, cases[i].before, "on probation it costs nothing");
    }
}

/* ---- how long popularity lasts ---- */

static uint8_t left_of(const struct s3fifo *policy, uint8_t hits)
{
    struct s3_object object = {.log = S3_MAIN, .hits = hits, .size = 1};
    uint8_t left;

    s3fifo_judge(policy, &object, S3_CALM, &left);
    return left;
}

/* A thousand objects that were hot a turn ago; of a hundred so many were not used in it. */
static void turn(struct s3fifo *policy, unsigned unused)
{
    for (unsigned i = 0; i < 1000; i++) {
        struct s3_object object = {.log = S3_MAIN, .hits = left_of(policy, 126), .size = STEP};
        for (unsigned uses = i * 37 % 100 < unused ? 0 : 1 + i % 15; uses > 0; uses--) {
            object.hits = s3_hit(object.hits);
        }
        s3fifo_weigh(policy, &object, S3_REMEMBER);
    }
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

Test(s3fifo, the_more_hot_objects_are_used_no_more_the_faster_all_fade)
{
    static const struct {
        unsigned unused; /* percent */
        uint8_t of_100, of_10;
        unsigned probation;
    } cases[] = {{0, 78, 9, 10},  {6, 78, 9, 10},  {9, 78, 7, 10},  {12, 66, 6, 14},
                 {15, 54, 5, 26}, {18, 42, 4, 46}, {25, 30, 3, 74}, {100, 30, 3, 74}};
    struct s3fifo policy = policy_for(S3_OBJECTS);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned turns = 0; turns < 10; turns++) {
            turn(&policy, cases[i].unused);
        }
        cr_expect_eq(left_of(&policy, 100), cases[i].of_100, "%u %%", cases[i].unused);
        cr_expect_eq(left_of(&policy, 10), cases[i].of_10, "%u %%", cases[i].unused);
        cr_expect_eq(left_of(&policy, 127), S3_HITS_MARK, "whatever the pace");
        cr_expect_eq(probation(&policy), cases[i].probation, "%u %%", cases[i].unused);
    }
}

Test(s3fifo, and_when_it_lasts_again_a_turn_costs_a_tenth_again)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);

    for (unsigned turns = 0; turns < 10; turns++) {
        turn(&policy, 80);
    }
    cr_expect_eq(left_of(&policy, 10), 3);
    for (unsigned turns = 0; turns < 10; turns++) {
        turn(&policy, 4);
    }
    cr_expect_eq(left_of(&policy, 10), 9);
    cr_expect_eq(probation(&policy), 10);
}

/* At whatever pace, what was not hot begins its turn without a mark, or is so small that it takes
 * five uses to be taken for one. */
Test(s3fifo, only_what_was_hot_is_marked)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);

    for (policy.drift.pace = 0; policy.drift.pace < S3_PACES; policy.drift.pace++) {
        for (uint8_t hits = 0; hits < S3_HITS_HOT; hits++) {
            uint8_t left = left_of(&policy, hits);
            cr_expect(!s3_hits_marked(left) || left + 5 * S3_HITS_USE <= S3_HITS_MARK, "%u", hits);
            cr_expect_leq(left, hits);
            cr_expect_lt(left, S3_HITS_MARK);
        }
    }
}

Test(s3fifo, a_few_say_nothing_and_neither_does_what_was_not_hot)
{
    struct s3fifo policy = policy_for(S3_OBJECTS);
    struct s3_object object = {.log = S3_MAIN, .hits = S3_HITS_MARK, .size = STEP};

    for (unsigned i = 0; i < 250; i++) {
        s3fifo_weigh(&policy, &object, S3_REMEMBER);
    }
    cr_expect_eq(left_of(&policy, 10), 9);
    policy = policy_for(S3_OBJECTS);
    for (unsigned i = 0; i < 100000; i++) {
        object.hits = (uint8_t)(i % 127);
        if (object.hits < S3_HITS_MARK || !s3_hits_marked(object.hits)) {
            s3fifo_weigh(&policy, &object, S3_REMEMBER);
        }
    }
    object.log = S3_PROBATION;
    object.hits = S3_HITS_MARK;
    for (unsigned i = 0; i < 1000; i++) {
        s3fifo_weigh(&policy, &object, S3_REMEMBER);
    }
    cr_expect_eq(policy.drift.used + policy.drift.unused, 0);
    cr_expect_eq(left_of(&policy, 10), 9);
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
