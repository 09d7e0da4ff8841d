#include "cache/store/bitmap.h"

#include <criterion/criterion.h>
#include <pthread.h>

Test(bitmap, has_what_was_set_and_nothing_behind_its_end)
{
    struct bitmap map;

    bitmap_init(&map, 200);
    cr_expect_not(bitmap_has(&map, 130));
    bitmap_set(&map, 130);
    bitmap_set(&map, 192);
    cr_expect(bitmap_has(&map, 130));
    cr_expect_not(bitmap_has(&map, 131));
    cr_expect_not(bitmap_has(&map, 192), "rounded down to 192 bits");
    bitmap_fini(&map);
}

Test(bitmap, takes_memory_when_a_bit_is_set_and_gives_it_back)
{
    struct bitmap map;
    uint64_t before = memory_sum(MEMORY_STORE);

    bitmap_init(&map, 1 << 16);
    cr_expect_not(bitmap_has(&map, 7));
    cr_expect_eq(memory_sum(MEMORY_STORE), before);
    bitmap_set(&map, 7);
    cr_expect_eq(memory_sum(MEMORY_STORE), before + (1 << 16) / 8);
    bitmap_fini(&map);
    cr_expect_eq(memory_sum(MEMORY_STORE), before);
}

static void *set_all(void *arg)
{
    struct bitmap *map = arg;

    for (size_t bit = 0; bit < map->bits; bit++) {
        bitmap_set(map, bit);
    }
    return NULL;
}

Test(bitmap, threads_that_set_the_first_bits_at_once_lose_none)
{
    for (unsigned round = 0; round < 200; round++) {
        struct bitmap map;
        pthread_t threads[4];
        bitmap_init(&map, 64);
        for (size_t i = 0; i < 4; i++) {
            cr_assert_eq(pthread_create(&threads[i], NULL, set_all, &map), 0);
        }
        for (size_t i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        for (size_t bit = 0; bit < map.bits; bit++) {
            cr_expect(bitmap_has(&map, bit));
        }
        bitmap_fini(&map);
    }
}
