#include "proxy/stream/h2_guard.h"

#include <criterion/criterion.h>

static struct h2_guard guard;

static unsigned allowed(enum h2_offence offence, unsigned tries, uint64_t now)
{
    unsigned count = 0;

    for (unsigned i = 0; i < tries; i++) {
        count += h2_guard_allows(&guard, offence, now);
    }
    return count;
}

Test(h2_guard, so_many_in_a_window)
{
    guard = (struct h2_guard){.since_ms = 5000};
    cr_assert_eq(allowed(H2_OFFENCE_RESETS, 1000, 5000), 300);
    cr_assert_eq(allowed(H2_OFFENCE_PINGS, 1000, 6000), 200); /* kinds do not share */
    cr_assert_eq(allowed(H2_OFFENCE_RESETS, 10, 5000 + H2_GUARD_WINDOW_MS - 1), 0);
    cr_assert_eq(allowed(H2_OFFENCE_RESETS, 10, 5000 + H2_GUARD_WINDOW_MS), 10);
}

Test(h2_guard, counting_does_not_come_round)
{
    guard = (struct h2_guard){.since_ms = 1};
    cr_assert_eq(allowed(H2_OFFENCE_SETTINGS, 200000, 1), 50);
}

Test(h2_guard, who_is_sent_much_may_open_windows_often)
{
    guard = (struct h2_guard){.since_ms = 1};
    for (int i = 0; i < 1000; i++) {
        h2_guard_sent(&guard);
    }
    cr_assert_eq(allowed(H2_OFFENCE_WINDOW_UPDATES, 10000, 1), 6000);
}

/* As gRPC does (grpc-go: bdpEstimator) to find out how large its windows should be. */
Test(h2_guard, who_is_sent_much_may_measure_each_round_trip)
{
    guard = (struct h2_guard){.since_ms = 1};
    for (int i = 0; i < 1000; i++) {
        h2_guard_sent(&guard);
    }
    cr_assert_eq(allowed(H2_OFFENCE_PINGS, 10000, 1), 1200);
    cr_assert_eq(allowed(H2_OFFENCE_SETTINGS, 10000, 1), 50);
}

Test(h2_guard, every_offence_has_its_words)
{
    for (int i = 0; i < H2_OFFENCE_COUNT; i++) {
        cr_assert_gt(strlen(h2_offence_word((enum h2_offence)i)), 0);
        cr_assert_gt(strlen(h2_offence_text((enum h2_offence)i)), 0);
    }
}
