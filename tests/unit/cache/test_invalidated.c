#include "cache/invalidated.h"

#include <criterion/criterion.h>

Test(invalidated, each_has_the_number_of_its_last)
{
    struct invalidated set;

    invalidated_init(&set, 4);
    cr_expect_not(invalidated_since(&set, 7, 0));
    invalidated_add(&set, 7, 1);
    invalidated_add(&set, 8, 2);
    invalidated_add(&set, 7, 3);
    cr_expect(invalidated_since(&set, 7, 2));
    cr_expect_not(invalidated_since(&set, 7, 3));
    cr_expect(invalidated_since(&set, 8, 1));
    cr_expect_not(invalidated_since(&set, 8, 2));
    cr_expect_not(invalidated_since(&set, 9, 0));
    invalidated_fini(&set);
}

Test(invalidated, who_has_made_room_counts_for_all_that_began_before)
{
    struct invalidated set;

    invalidated_init(&set, 4);
    for (uint64_t i = 1; i <= 6; i++) {
        invalidated_add(&set, 100 + i, i); /* 1 and 2 make room */
    }
    cr_expect(invalidated_since(&set, 101, 0));
    cr_expect(invalidated_since(&set, 102, 1));
    cr_expect(invalidated_since(&set, 999, 1), "it may have been the one");
    cr_expect_not(invalidated_since(&set, 999, 2));
    cr_expect(invalidated_since(&set, 103, 2));
    cr_expect_not(invalidated_since(&set, 103, 3));
    invalidated_fini(&set);
}

/* Against a list of all, with few URLs and little room. */
Test(invalidated, never_says_no_falsely)
{
    enum { URLS = 12, STEPS = 20000, ROOM = 7 };
    uint64_t last[URLS] = {0}, random = 1;
    struct invalidated set;

    invalidated_init(&set, ROOM);
    for (uint64_t number = 1; number <= STEPS; number++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t url = (random >> 33) % URLS, asked = (random >> 45) % URLS;
        last[url] = number;
        invalidated_add(&set, url, number);
        for (uint64_t back = 0; back < 20 && back <= number; back++) {
            uint64_t since = number - back;
            if (last[asked] > since) {
                cr_assert(invalidated_since(&set, asked, since));
            } else if (back < ROOM) {
                cr_assert_not(invalidated_since(&set, asked, since), "so many fit");
            }
        }
    }
    invalidated_fini(&set);
}
