#include "cache/store/ghosts.h"

#include <criterion/criterion.h>

Test(ghosts, one_is_taken_once)
{
    struct ghosts ghosts = {0};

    cr_expect_not(ghosts_take(&ghosts, 5), "nothing is remembered yet");
    cr_expect_eq(ghosts_bytes(&ghosts), 0);
    ghosts_put(&ghosts, 5, 1);
    cr_expect_not(ghosts_take(&ghosts, 6));
    cr_expect(ghosts_take(&ghosts, 5));
    cr_expect_not(ghosts_take(&ghosts, 5));
    ghosts_fini(&ghosts);
}

Test(ghosts, a_tag_of_nothing_but_zeros_is_a_tag)
{
    struct ghosts ghosts = {0};

    ghosts_put(&ghosts, 1u << 31, 1);
    cr_expect_not(ghosts_take(&ghosts, 0));
    ghosts_put(&ghosts, 0, 1);
    cr_expect(ghosts_take(&ghosts, 0));
    ghosts_fini(&ghosts);
}

Test(ghosts, the_oldest_of_a_bucket_is_forgotten)
{
    struct ghosts ghosts = {0};

    for (uint32_t tag = 1; tag <= 17; tag++) { /* all in the first bucket, which has 16 places */
        ghosts_put(&ghosts, tag, 1);
    }
    cr_expect_not(ghosts_take(&ghosts, 1));
    for (uint32_t tag = 17; tag >= 2; tag--) {
        cr_expect(ghosts_take(&ghosts, tag), "%u", tag);
    }
    ghosts_fini(&ghosts);
}

static uint32_t spread(uint32_t i)
{
    return i * 2654435761u;
}

Test(ghosts, they_grow_with_the_objects_and_keep_what_they_had)
{
    struct ghosts ghosts = {0};
    unsigned found = 0;

    for (uint32_t i = 1; i <= 100; i++) {
        ghosts_put(&ghosts, spread(i), 1);
    }
    cr_expect_eq(ghosts_bytes(&ghosts), 256 * 4);
    ghosts_put(&ghosts, 7, 100000);
    for (uint32_t i = 1; i <= 100; i++) {
        cr_expect(ghosts_take(&ghosts, spread(i)), "%u", i);
    }
    for (uint32_t i = 1; i <= 100000; i++) {
        ghosts_put(&ghosts, spread(i), i);
    }
    cr_expect_eq(ghosts_bytes(&ghosts), 131072 * 4, "at most twice as many as there are objects");
    for (uint32_t i = 1; i <= 100000; i++) {
        found += ghosts_take(&ghosts, spread(i));
    }
    cr_expect_gt(found, 95000);
    ghosts_put(&ghosts, 8, 1); /* fewer objects: it does not shrink */
    cr_expect_eq(ghosts_bytes(&ghosts), 131072 * 4);
    ghosts_fini(&ghosts);
}
