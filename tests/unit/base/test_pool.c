#include "base/pool.h"

#include <criterion/criterion.h>
#include <stdint.h>

Test(pool, blocks_of_all_sizes_are_aligned_and_writable)
{
    static const size_t sizes[] = {1, 128, 129, 4096, 16384, 16385, 100000};
    struct pool pool = POOL_INIT;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            char *block = pool_take(&pool, sizes[i]);
            cr_expect_eq((uintptr_t)block % 16, 0);
            block[0] = 'a';
            block[sizes[i] - 1] = 'b';
            pool_give(&pool, block, sizes[i]);
        }
    }
    pool_give(&pool, NULL, 128);
    pool_fini(&pool);
}

Test(pool, keeps_a_bounded_number)
{
    struct pool pool = POOL_INIT;
    void *blocks[100];

    for (size_t i = 0; i < 100; i++) {
        blocks[i] = pool_take(&pool, 16384);
    }
    for (size_t i = 0; i < 100; i++) {
        pool_give(&pool, blocks[i], 16384);
    }
    for (size_t class = 0; class < POOL_CLASSES; class ++) {
        cr_expect_leq(pool.kept[class], 256 * 1024);
    }
    pool_fini(&pool);
}
