#include "base/den.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { THINGS = 64, STEPS = 20000 };

static struct pages pages;
static struct den den;

static void setup(void)
{
    pages_init(&pages);
    den_init(&den, &pages);
}

static void teardown(void)
{
    den_fini(&den);
    pages_fini(&pages);
}

TestSuite(den, .init = setup, .fini = teardown);

Test(den, things_are_aligned_and_large_enough)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 24, 504, 505, 632, 1024, 2928, 4000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *thing = den_alloc(&den, sizes[i]);
        if (thing == NULL) {
            cr_assert(pages_are_heap());
            continue;
        }
        cr_expect_eq((uintptr_t)thing % 16, 0);
        cr_expect(den_owns(&den, thing));
        cr_expect_geq(den_size(thing), sizes[i]);
        memset(thing, 'x', den_size(thing));
    }
    cr_expect_null(den_alloc(&den, DEN_MOST + 1));
    cr_expect_not(den_owns(&den, &den));
    cr_expect_not(den_owns(&den, NULL));
}

Test(den, a_full_one_says_so_and_takes_again_what_was_free)
{
    void *last = NULL;
    size_t count = 0;

    for (void *thing; (thing = den_alloc(&den, 100)) != NULL; count++) {
        last = thing;
    }
    if (pages_are_heap()) {
        return;
    }
    cr_expect_geq(count, 200);
    cr_expect_null(den_alloc(&den, 200));
    den_free(&den, last);
    cr_expect_eq(den_alloc(&den, 97), last);
}

/* What is in it, by number and time. */
static void fill(char *thing, size_t size, unsigned number)
{
    for (size_t i = 0; i < size; i++) {
        thing[i] = (char)(i / 64 % 2 ? 0 : number * 7 + i);
    }
}

static bool is_whole(const char *thing, size_t size, unsigned number)
{
    for (size_t i = 0; i < size; i++) {
        if (thing[i] != (char)(i / 64 % 2 ? 0 : number * 7 + i)) {
            return false;
        }
    }
    return true;
}

Test(den, what_sleeps_is_there_again_at_its_place)
{
    char *things[THINGS] = {NULL};
    size_t sizes[THINGS] = {0};

    srand(1);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)rand() % THINGS;
        if (things[i]) {
            cr_assert(is_whole(things[i], sizes[i], i), "step %u", step);
            den_free(&den, things[i]);
            things[i] = NULL;
        } else {
            sizes[i] = (size_t)rand() % (rand() % 8 ? 200 : 3000);
            things[i] = den_alloc(&den, sizes[i]);
            if (things[i]) {
                fill(things[i], sizes[i], i);
            }
        }
        if (rand() % 50 == 0) {
            den_sleep(&den);
            den_sleep(&den);
            den_wake(&den);
            den_wake(&den);
            for (i = 0; i < THINGS; i++) {
                cr_assert(!things[i] || is_whole(things[i], sizes[i], i), "step %u", step);
            }
        }
    }
}

Test(den, what_sleeps_costs_what_is_not_zero)
{
    uint64_t before = memory_sum(MEMORY_CONNECTIONS);
    char *thing = den_alloc(&den, 3000), *other = den_alloc(&den, 3000);

    if (thing == NULL) {
        cr_assert(pages_are_heap());
        return;
    }
    memset(thing, 0, 3000);
    memset(other, 'x', 3000);
    thing[1500] = 1;
    den_free(&den, other);
    den_sleep(&den);
    cr_expect_lt(memory_sum(MEMORY_CONNECTIONS), before + 256);
    den_wake(&den);
    cr_expect_eq(thing[1500], 1);
    cr_expect_geq(memory_sum(MEMORY_CONNECTIONS), before);
    den_sleep(&den);
    den_fini(&den); /* asleep */
    cr_expect_leq(memory_sum(MEMORY_CONNECTIONS), before);
    den_init(&den, &pages);
}
