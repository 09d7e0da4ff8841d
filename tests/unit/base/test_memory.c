#include "base/memory.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MIB ((size_t)1 << 20)
#define OFF ((size_t)MEMORY_STRIPES * MEMORY_SLACK)

Test(memory, is_counted_by_purpose_and_in_all)
{
    memory_take(MEMORY_BODIES, 3 * MIB);
    memory_take(MEMORY_HEADS, MIB);
    memory_give(MEMORY_BODIES, MIB);
    cr_expect_eq(memory_sum(MEMORY_BODIES), 2 * MIB);
    cr_expect_eq(memory_sum(MEMORY_HEADS), MIB);
    cr_expect_eq(memory_used(), 3 * MIB);
    memory_take(MEMORY_LOOPS, 50 * MIB);
    cr_expect_eq(memory_used(), 3 * MIB, "what cannot give way is shown, not limited");
    cr_expect_eq(memory_sum(MEMORY_LOOPS), 50 * MIB);
}

Test(memory, every_purpose_has_a_word_of_its_own)
{
    for (int i = 0; i < MEMORY_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            cr_expect_neq(
                strcmp(memory_word((enum memory_purpose)i), memory_word((enum memory_purpose)j)),
                0);
        }
        cr_expect_gt(strlen(memory_text((enum memory_purpose)i)), 0);
    }
}

Test(memory, small_amounts_reach_the_total)
{
    for (size_t i = 0; i < 100000; i++) {
        memory_take(MEMORY_ENTRIES, 100);
    }
    cr_expect_eq(memory_sum(MEMORY_ENTRIES), 10000000);
    cr_expect_geq(memory_used() + OFF, 10000000);
    cr_expect_leq(memory_used(), 10000000 + OFF);
    for (size_t i = 0; i < 100000; i++) {
        memory_give(MEMORY_ENTRIES, 100);
    }
    cr_expect_leq(memory_used(), OFF);
    cr_expect_eq(memory_sum(MEMORY_ENTRIES), 0);
}

static void *take_here_give_there(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        memory_take(MEMORY_BUFFERS, 1000);
        memory_give(MEMORY_BUFFERS, 999);
    }
    return arg;
}

Test(memory, many_threads_lose_nothing)
{
    pthread_t threads[20];

    for (size_t i = 0; i < 20; i++) {
        pthread_create(&threads[i], NULL, take_here_give_there, NULL);
    }
    for (size_t i = 0; i < 20; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect_eq(memory_sum(MEMORY_BUFFERS), 400000);
    cr_expect_leq(memory_used(), 400000 + OFF);
    memory_give(MEMORY_BUFFERS, 400000);
    cr_expect_eq(memory_sum(MEMORY_BUFFERS), 0);
}

Test(memory, the_marks_lie_at_12_14_15_and_16_sixteenths)
{
    memory_take(MEMORY_BODIES, 5 * MIB);
    cr_expect_eq(memory_excess(), 0, "there is no limit");
    cr_expect_not(memory_is_over());
    cr_expect_not(memory_lacks(MIB));
    memory_set_limit(8 * MIB);
    cr_expect_eq(memory_excess(), 0);
    memory_take(MEMORY_BODIES, MIB + MIB / 2);
    cr_expect_eq(memory_excess(), MIB / 2);
    cr_expect_not(memory_is_tight());
    memory_take(MEMORY_BODIES, MIB);
    cr_expect(memory_is_tight());
    cr_expect_not(memory_is_scarce());
    memory_take(MEMORY_BODIES, MIB / 4);
    cr_expect(memory_is_scarce());
    cr_expect_not(memory_is_over());
    cr_expect_not(memory_lacks(MIB / 4));
    cr_expect(memory_lacks(MIB / 4 + 1));
    memory_take(MEMORY_BODIES, 3 * MIB / 4);
    cr_expect(memory_is_over());
    cr_expect(memory_lacks(1));
}

static size_t wanted;

static void give_back(void *arg, size_t bytes)
{
    size_t *held = arg;
    size_t gone = bytes < *held ? bytes : *held;

    wanted += bytes;
    *held -= gone;
    memory_give(MEMORY_HEADS, gone);
}

Test(memory, room_is_promised_while_hot_objects_can_make_it)
{
    size_t held = 5 * MIB;

    memory_set_limit(8 * MIB);
    memory_take(MEMORY_HEADS, held);
    memory_set_relief(give_back, &held);
    memory_relieve();
    cr_expect_eq(wanted, 0);
    cr_expect(memory_promise(2 * MIB));
    cr_expect_eq(wanted, 0, "below the second mark nobody has to leave at once");
    cr_expect(memory_promise(3 * MIB));
    cr_expect_eq(held, MIB);
    cr_expect_eq(memory_used(), 6 * MIB);
    cr_expect_not(memory_promise(3 * MIB));
    cr_expect_eq(held, 0);
    cr_expect_eq(memory_sum(MEMORY_PROMISED), 5 * MIB, "what was refused is not counted");
    memory_set_relief(NULL, NULL);
    cr_expect_not(memory_promise(3 * MIB));
    cr_expect(memory_promise(MIB));
    cr_expect_not(memory_promise(3 * MIB / 2));
    cr_expect(memory_begin(3 * MIB / 2), "the last eighth is for beginning");
    cr_expect_not(memory_begin(MIB));
}

Test(memory, goes_back_to_the_system_after_a_burst)
{
    memory_set_limit(64 * MIB);
    memory_take(MEMORY_BODIES, 40 * MIB);
    cr_expect_not(memory_trim());
    cr_expect_not(memory_trim());
    memory_give(MEMORY_BODIES, 39 * MIB);
    cr_expect(memory_trim());
    cr_expect_not(memory_trim(), "once is enough");
    memory_take(MEMORY_BODIES, 4 * MIB);
    cr_expect_not(memory_trim());
    memory_give(MEMORY_BODIES, 4 * MIB);
    cr_expect_not(memory_trim(), "that was not much");
}

Test(memory, so_does_what_is_not_counted)
{
    memory_set_limit(64 * MIB);
    memory_freed(MIB);
    cr_expect_not(memory_trim());
    cr_expect_not(memory_trim(), "that was not much");
    memory_freed(8 * MIB);
    cr_expect_not(memory_trim(), "more may come");
    memory_freed(MIB);
    cr_expect_not(memory_trim(), "more came");
    cr_expect(memory_trim());
    cr_expect_not(memory_trim(), "once is enough");
}

Test(memory, the_system_says_what_is_resident)
{
    cr_expect_gt(memory_resident(), 0);
}

/* Where what may be written from `at` on ends. */
static uintptr_t writable_end(const void *at)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long from, to, end = 0;
    char line[512];

    while (end == 0 && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from <= (uintptr_t)at &&
            (uintptr_t)at < to) {
            end = to;
        }
    }
    fclose(maps);
    return end;
}

enum { BLOCKS = 1000, BLOCK = 5000 };

static void *take_blocks(void *arg)
{
    static void *blocks[BLOCKS];
    uintptr_t end = 0;
    size_t *moves = arg;

    for (size_t i = 0; i < BLOCKS; i++) {
        memory_take(MEMORY_BODIES, BLOCK);
        blocks[i] = malloc(BLOCK);
        uintptr_t now = writable_end(blocks[i]);
        *moves += now != end;
        end = now;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        memory_give(MEMORY_BODIES, BLOCK);
        free(blocks[i]);
    }
    return NULL;
}

Test(memory, the_heap_of_a_thread_grows_by_steps)
{
    pthread_t thread;
    size_t moves = 0;

    memory_shape_heap();
    cr_assert_eq(pthread_create(&thread, NULL, take_blocks, &moves), 0);
    pthread_join(thread, NULL);
    cr_expect_lt(moves, BLOCKS / 5, "it has grown %zu times", moves);
}
