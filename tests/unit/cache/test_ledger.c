#include "cache/store/ledger.h"
#include "cache/store/s3fifo.h"

#include <criterion/criterion.h>
#include <pthread.h>

Test(ledger, counts_uses_up_to_the_bound)
{
    struct ledger ledger;

    ledger_init(&ledger, 5000);
    for (unsigned i = 0; i < 15; i++) {
        cr_expect_eq(ledger_uses(&ledger, 4321), s3_hits_use(0, i), "%u", i);
        cr_expect_eq(s3_hits_count(ledger_uses(&ledger, 4321)),
                     i <= 10 ? i * S3_HITS_USE : S3_HITS_BOUND);
        ledger_use(&ledger, 4321, 1);
    }
    cr_expect_eq(ledger_uses(&ledger, 4320), 0);
    cr_expect_eq(ledger_uses(&ledger, 4322), 0);
    ledger_fini(&ledger);
}

Test(ledger, many_uses_are_counted_at_once)
{
    static const struct {
        unsigned uses;
        uint8_t counted;
    } cases[] = {
        {0, 0}, {1, 12}, {9, 108}, {10, 120}, {11, S3_HITS_BOUND}, {UINT32_MAX, S3_HITS_BOUND}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ledger ledger;
        ledger_init(&ledger, 10);
        ledger_use(&ledger, 1, cases[i].uses);
        uint8_t uses = ledger_uses(&ledger, 1);
        cr_expect_eq(s3_hits_count(uses), cases[i].counted, "%u", cases[i].uses);
        cr_expect_eq(uses & S3_HITS_USED, cases[i].uses > 0);
        ledger_fini(&ledger);
    }
}

Test(ledger, a_number_outside_is_ignored)
{
    struct ledger ledger;
    struct ledger_line line = {.tag = 7, .size = 7, .uses = 1};

    ledger_init(&ledger, 10);
    ledger_use(&ledger, UINT32_MAX, 1);
    ledger_set_verified(&ledger, LEDGER_BLOCK);
    ledger_write(&ledger, LEDGER_BLOCK * 3, &line);
    cr_expect_eq(ledger_uses(&ledger, UINT32_MAX), 0);
    cr_expect_not(ledger_is_verified(&ledger, LEDGER_BLOCK));
    cr_expect_eq(ledger_read(&ledger, LEDGER_BLOCK * 3).tag, 0);
    ledger_fini(&ledger);
}

Test(ledger, the_checksum_is_remembered_beside_the_uses)
{
    struct ledger ledger;

    ledger_init(&ledger, 100);
    ledger_use(&ledger, 3, 1);
    cr_expect_not(ledger_is_verified(&ledger, 3));
    ledger_set_verified(&ledger, 3);
    cr_expect(ledger_is_verified(&ledger, 3));
    cr_expect_eq(ledger_uses(&ledger, 3), S3_HITS_USE | S3_HITS_USED);
    for (unsigned i = 0; i < 2 * S3_HITS_MAX; i++) {
        ledger_use(&ledger, 3, 1);
    }
    cr_expect(ledger_is_verified(&ledger, 3));
    ledger_fini(&ledger);
}

Test(ledger, sizes_come_back_within_an_eighth)
{
    struct ledger ledger;

    ledger_init(&ledger, 100);
    for (uint64_t size = 0; size < UINT64_C(1) << 35; size = size * 5 / 4 + 1) {
        struct ledger_line line = {.tag = 1, .size = size};
        ledger_write(&ledger, 1, &line);
        uint64_t back = ledger_read(&ledger, 1).size;
        cr_expect(back <= (size < 8 ? 15 : size) && back + back / 8 + 1 >= size, "%llu is %llu",
                  (unsigned long long)size, (unsigned long long)back);
    }
    ledger_write(&ledger, 1, &(struct ledger_line){.size = UINT64_MAX});
    cr_expect_eq(ledger_read(&ledger, 1).size, UINT64_C(15) << 31);
    ledger_fini(&ledger);
}

Test(ledger, uses_survive_what_is_saved_and_loaded)
{
    struct ledger before, after;
    uint8_t saved[LEDGER_BLOCK];

    ledger_init(&before, 3 * LEDGER_BLOCK);
    ledger_init(&after, 3 * LEDGER_BLOCK);
    cr_expect_not(ledger_save(&before, 1, saved));
    ledger_use(&before, LEDGER_BLOCK + 5, 1);
    ledger_set_verified(&before, LEDGER_BLOCK + 5);
    cr_expect(ledger_save(&before, 1, saved));

    ledger_use(&after, LEDGER_BLOCK + 5, 1);
    ledger_load(&after, 1, span_of(saved, sizeof(saved)));
    cr_expect_eq(ledger_uses(&after, LEDGER_BLOCK + 5), 2 * S3_HITS_USE | S3_HITS_USED);
    cr_expect_eq(ledger_uses(&after, LEDGER_BLOCK + 6), 0);
    cr_expect_not(ledger_is_verified(&after, LEDGER_BLOCK + 5), "held against other bytes");
    ledger_fini(&before);
    ledger_fini(&after);
}

Test(ledger, memory_comes_as_it_is_needed)
{
    struct ledger ledger;

    ledger_init(&ledger, 1000000);
    size_t empty = ledger_memory(&ledger);
    cr_expect_lt(empty, 10000);
    ledger_use(&ledger, 999999, 1);
    cr_expect_eq(ledger_memory(&ledger),
                 empty + sizeof(struct ledger_shelf) + sizeof(struct ledger_leaf));
    ledger_fini(&ledger);
}

/* Segments of stores for 200,000 and a million objects of 4 KiB, full of them. */
Test(ledger, takes_little_more_than_six_bytes_an_object)
{
    static const struct {
        uint64_t capacity;
        uint32_t objects;
    } cases[] = {{UINT64_C(19660800), 2300}, {UINT64_C(98304000), 11600}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ledger ledger;
        struct ledger_line line = {.tag = 7, .size = 4096, .uses = 1};
        ledger_init(&ledger, cases[i].capacity / 64);
        for (uint32_t number = 1; number <= cases[i].objects; number++) {
            ledger_write(&ledger, number, &line);
        }
        cr_expect_lt((double)ledger_memory(&ledger) / cases[i].objects, 6.7);
        ledger_fini(&ledger);
    }
}

/* ---- threads ---- */

static void *load_again_and_again(void *arg)
{
    struct ledger *ledger = arg;
    char uses[LEDGER_BLOCK];

    memset(uses, 1, sizeof(uses));
    for (int i = 0; i < 2000; i++) {
        ledger_load(ledger, 0, span_of(uses, sizeof(uses)));
    }
    return NULL;
}

/* Somebody else has written to the file while uses are counted. */
Test(ledger, what_is_doubted_is_not_verified_again_by_its_uses)
{
    struct ledger ledger;
    pthread_t thread;
    unsigned verified = 0;

    ledger_init(&ledger, LEDGER_BLOCK);
    cr_assert_eq(pthread_create(&thread, NULL, load_again_and_again, &ledger), 0);
    for (int round = 0; round < 2000; round++) {
        for (uint32_t i = 0; i < LEDGER_BLOCK; i++) {
            ledger_set_verified(&ledger, i);
        }
        ledger_doubt(&ledger);
        for (uint32_t i = 0; i < LEDGER_BLOCK; i++) {
            verified += ledger_is_verified(&ledger, i);
        }
    }
    pthread_join(thread, NULL);
    cr_expect_eq(verified, 0);
    ledger_fini(&ledger);
}
