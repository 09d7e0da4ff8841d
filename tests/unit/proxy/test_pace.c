#include "proxy/stream/pace.h"

#include <criterion/criterion.h>

Test(pace, a_byte_now_and_then_is_no_progress)
{
    struct pace pace = {0};

    cr_assert_eq(pace_least(60000), 3840);
    for (uint64_t s = 0; s < 60; s++) {
        cr_assert_not(pace_is_slow(&pace, true, s, 1000 + s * 1000, 60000), "%d s", (int)s);
    }
    cr_expect(pace_is_slow(&pace, true, 60, 61000, 60000));
    cr_expect(pace_is_slow(&pace, true, 61, 62000, 60000), "and it stays slow");
}

Test(pace, who_takes_enough_is_not_slow)
{
    struct pace pace = {0};

    for (uint64_t s = 0; s < 600; s++) {
        cr_assert_not(pace_is_slow(&pace, true, s * 65, 1000 + s * 1000, 60000), "%d s", (int)s);
    }
}

Test(pace, who_was_not_waited_for_has_all_the_time)
{
    struct pace pace = {0};

    cr_expect_not(pace_is_slow(&pace, true, 0, 1000, 60000));
    cr_expect_not(pace_is_slow(&pace, false, 0, 60000, 60000));
    cr_expect_not(pace_is_slow(&pace, true, 0, 61000, 60000));
    cr_expect_not(pace_is_slow(&pace, true, 0, 120999, 60000));
    cr_expect(pace_is_slow(&pace, true, 0, 121000, 60000));
}

Test(pace, who_takes_next_to_nothing_for_five_seconds_is_stalled)
{
    struct pace pace = {0};

    cr_expect_not(pace_is_stalled(&pace, 9000), "it is not waited for");
    pace_is_slow(&pace, true, 0, 1000, 60000);
    pace_is_slow(&pace, true, 3839, 5000, 60000);
    cr_expect_not(pace_is_stalled(&pace, 5999));
    cr_expect(pace_is_stalled(&pace, 6000));
    cr_expect_not(pace_is_stalled(&pace, 999), "what it has taken since is not known so far");
    pace_is_slow(&pace, true, 3840, 6000, 60000);
    cr_expect_not(pace_is_stalled(&pace, 6000), "it has taken enough");
    pace_is_slow(&pace, false, 3840, 7000, 60000);
    cr_expect_not(pace_is_stalled(&pace, 99000), "nor is it waited for any more");
}

Test(pace, without_a_limit_nobody_is_slow)
{
    struct pace pace = {0};

    cr_expect_eq(pace_least(0), 1);
    cr_expect_not(pace_is_slow(&pace, true, 0, 1000, 0));
    cr_expect_not(pace_is_slow(&pace, true, 0, UINT64_MAX, 0));
}

Test(pace, who_is_waited_for_has_five_seconds_to_send_enough)
{
    struct pace_in pace;

    pace_in_begin(&pace, 1000);
    for (uint64_t ms = 1000; ms < 6000; ms += 100) {
        pace_in_add(&pace, 1, ms);
        cr_assert_not(pace_in_is_slow(&pace, ms), "%d ms", (int)ms);
    }
    cr_expect(pace_in_is_slow(&pace, 6000), "50 bytes");
    pace_in_add(&pace, 269, 6500);
    cr_expect(pace_in_is_slow(&pace, 6500), "319");
    pace_in_add(&pace, 1, 6600);
    cr_expect_not(pace_in_is_slow(&pace, 11599), "320, and anew");
    cr_expect(pace_in_is_slow(&pace, 11600));
    pace_in_begin(&pace, 20000);
    cr_expect_not(pace_in_is_slow(&pace, 24999), "it was not waited for");
    cr_expect_not(pace_in_is_slow(&pace, 19999), "what has come since is not read so far");
}

Test(pace, what_comes_counts_when_it_is_enough)
{
    uint64_t seen = 0;

    cr_expect_not(pace_has_come(&seen, 1, 60000));
    cr_expect_not(pace_has_come(&seen, 3838, 60000));
    cr_expect(pace_has_come(&seen, 1, 60000), "3840 in all");
    cr_expect_not(pace_has_come(&seen, 3839, 60000), "it begins anew");
    cr_expect(pace_has_come(&seen, 1 << 20, 60000));
    cr_expect(pace_has_come(&seen, 1, 0), "without a limit each byte is");
}

Test(pace, interim_responses_are_limited_by_the_second)
{
    struct pace_interims pace = {0};

    for (uint64_t s = 0; s < 600; s++) {
        for (int i = 0; i < PACE_INTERIMS_MAX; i++) {
            cr_assert_not(pace_interims_flood(&pace, 5000 + s * 1000 + (uint64_t)i), "%d s",
                          (int)s);
        }
    }
    cr_expect(pace_interims_flood(&pace, 604999));
    cr_expect_not(pace_interims_flood(&pace, 605000));
    cr_expect_eq(pace.count, 1);
}
