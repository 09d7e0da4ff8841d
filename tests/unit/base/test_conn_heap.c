#include "base/conn_heap.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { THINGS = 64, STEPS = 20000 };

static struct pages pages;
static struct conn_heap heap;

static void setup(void)
{
    pages_init(&pages);
    conn_heap_init(&heap, &pages);
}

static void teardown(void)
{
    conn_heap_fini(&heap);
    pages_fini(&pages);
}

TestSuite(conn_heap, .init = setup, .fini = teardown);

Test(conn_heap, things_are_aligned_and_large_enough)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 24, 504, 505, 632, 1024, 2928, 4000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *thing = conn_heap_alloc(&heap, sizes[i]);
        if (thing == NULL) {
            cr_assert(pages_are_heap());
            continue;
        }
        cr_expect_eq((uintptr_t)thing % 16, 0);
        cr_expect(conn_heap_owns(&heap, thing));
        cr_expect_geq(conn_heap_size(thing), sizes[i]);
        memset(thing, 'x', conn_heap_size(thing));
    }
    cr_expect_null(conn_heap_alloc(&heap, CONN_HEAP_MOST + 1));
    cr_expect_not(conn_heap_owns(&heap, &heap));
    cr_expect_not(conn_heap_owns(&heap, NULL));
}

Test(conn_heap, a_full_one_says_so_and_takes_again_what_was_free)
{
    void *last = NULL;
    size_t count = 0;

    for (void *thing; (thing = conn_heap_alloc(&heap, 100)) != NULL; count++) {
        last = thing;
    }
    if (pages_are_heap()) {
        return;
    }
    cr_expect_geq(count, 200);
    cr_expect_null(conn_heap_alloc(&heap, 200));
    conn_heap_free(&heap, last);
    cr_expect_eq(conn_heap_alloc(&heap, 97), last);
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

Test(conn_heap, what_was_packed_is_there_again_at_its_place)
{
    char *things[THINGS] = {NULL};
    size_t sizes[THINGS] = {0};

    srand(1);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)rand() % THINGS;
        if (things[i]) {
            cr_assert(is_whole(things[i], sizes[i], i), "step %u", step);
            conn_heap_free(&heap, things[i]);
            things[i] = NULL;
        } else {
            sizes[i] = (size_t)rand() % (rand() % 8 ? 200 : 3000);
            things[i] = conn_heap_alloc(&heap, sizes[i]);
            if (things[i]) {
                fill(things[i], sizes[i], i);
            }
        }
        if (rand() % 50 == 0) {
            conn_heap_pack(&heap);
            conn_heap_pack(&heap);
            conn_heap_unpack(&heap);
            conn_heap_unpack(&heap);
            for (i = 0; i < THINGS; i++) {
                cr_assert(!things[i] || is_whole(things[i], sizes[i], i), "step %u", step);
            }
        }
    }
}

Test(conn_heap, what_is_packed_costs_what_is_not_zero)
{
    uint64_t before = memory_sum(MEMORY_CONNECTIONS);
    char *thing = conn_heap_alloc(&heap, 3000), *other = conn_heap_alloc(&heap, 3000);

    if (thing == NULL) {
        cr_assert(pages_are_heap());
        return;
    }
    memset(thing, 0, 3000);
    memset(other, 'x', 3000);
    thing[1500] = 1;
    conn_heap_free(&heap, other);
    conn_heap_pack(&heap);
    cr_expect_lt(memory_sum(MEMORY_CONNECTIONS), before + 256);
    conn_heap_unpack(&heap);
    cr_expect_eq(thing[1500], 1);
    cr_expect_geq(memory_sum(MEMORY_CONNECTIONS), before);
    conn_heap_pack(&heap);
    conn_heap_fini(&heap); /* packed */
    cr_expect_leq(memory_sum(MEMORY_CONNECTIONS), before);
    conn_heap_init(&heap, &pages);
}
