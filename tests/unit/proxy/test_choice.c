#include "proxy/origin/choice.h"

#include <criterion/criterion.h>

static struct origin origins[3];
static const struct site site = {.origins = origins, .origin_count = 3};

Test(choice, in_their_order)
{
    struct choice choice = {0};

    cr_expect_eq(choice_next(&choice, &site, 0, 1000), 0);
    cr_expect_eq(choice_next(&choice, &site, 1, 1000), 1);
    cr_expect_eq(choice_next(&choice, &site, 1 | 2, 1000), 2);
    cr_expect_eq(choice_next(&choice, &site, 1 | 2 | 4, 1000), 3, "there is no other");
    cr_expect_eq(choice_next(&choice, &site, 4, 1000), 0);
}

Test(choice, the_silent_come_last)
{
    struct choice choice = {0};

    choice_silent(&choice, &origins[0], 1000);
    cr_expect(choice_is_silent(&choice, &origins[0], 1000));
    cr_expect_eq(choice_next(&choice, &site, 0, 1000), 1);
    cr_expect_eq(choice_next(&choice, &site, 1 << 1, 1000), 2);
    cr_expect_eq(choice_next(&choice, &site, 1 << 1 | 1 << 2, 1000), 0);
    choice_silent(&choice, &origins[1], 1000);
    choice_silent(&choice, &origins[2], 1000);
    cr_expect_eq(choice_next(&choice, &site, 0, 1000), 0, "all are: in their order");
    choice_heard(&choice, &origins[2]);
    cr_expect_eq(choice_next(&choice, &site, 0, 1000), 2);
    cr_expect_not(choice_is_silent(&choice, &origins[2], 1000));
}

Test(choice, one_request_in_a_while_tries_a_silent_one)
{
    struct choice choice = {0};
    uint64_t later = 1000 + CHOICE_SILENT_MS;

    choice_silent(&choice, &origins[0], 1000);
    cr_expect_eq(choice_next(&choice, &site, 0, later - 1), 1);
    cr_expect_eq(choice_next(&choice, &site, 0, later), 0);
    cr_expect_eq(choice_next(&choice, &site, 0, later), 1, "others do not wait for the same");
    cr_expect_eq(choice_next(&choice, &site, 0, later + CHOICE_SILENT_MS), 0);
    choice_heard(&choice, &origins[0]);
    cr_expect_eq(choice_next(&choice, &site, 0, later), 0);
    cr_expect_eq(choice_next(&choice, &site, 0, later), 0, "it is back");
}

Test(choice, memory_is_bounded)
{
    struct choice choice = {0};
    struct origin many[CHOICE_SILENT_MAX + 1];

    for (size_t i = 0; i < CHOICE_SILENT_MAX; i++) {
        choice_silent(&choice, &many[i], 1000);
        choice_silent(&choice, &many[i], 1000);
    }
    cr_expect(choice_is_silent(&choice, &many[0], 1000));
    choice_silent(&choice, &many[CHOICE_SILENT_MAX], 1000);
    cr_expect_not(choice_is_silent(&choice, &many[0], 1000));
    cr_expect(choice_is_silent(&choice, &many[1], 1000));
    cr_expect(choice_is_silent(&choice, &many[CHOICE_SILENT_MAX], 1000));
}

Test(choice, more_than_can_be_counted)
{
    struct origin many[CHOICE_ORIGINS_MAX + 1];
    const struct site large = {.origins = many, .origin_count = CHOICE_ORIGINS_MAX + 1};
    struct choice choice = {0};

    cr_expect_eq(choice_next(&choice, &large, UINT64_MAX >> 1, 1000), CHOICE_ORIGINS_MAX - 1);
    cr_expect_eq(choice_next(&choice, &large, UINT64_MAX, 1000), large.origin_count);
}
