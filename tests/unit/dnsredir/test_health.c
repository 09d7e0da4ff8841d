#include "base/check.h"
#include "dnsredir/health/health.h"

#include <criterion/criterion.h>
#include <inttypes.h>

/* The worst that can happen to a dead replica: it died right after the answer to a probe, and every
 * later probe waits for its whole timeout. */
Test(health, any_accepted_settings_take_a_dead_replica_out_within_two_intervals)
{
    static const uint64_t intervals[] = {50, 51, 100, 999, 2000, 30000, 3600000};

    for (size_t i = 0; i < ARRAY_LEN(intervals); i++) {
        for (uint64_t fall = 1; fall <= 100; fall++) {
            uint64_t interval = intervals[i];
            uint64_t timeout = health_timeout_max(interval, fall);
            struct health health = {.known = true, .up = true};
            uint64_t now = 0;
            while (timeout > 0 && health.up) {
                uint64_t pause = health_pause(&health, interval, timeout, fall);
                now += pause > timeout || health.streak == 0 ? pause : timeout;
                health_note(&health, false, 2, fall);
            }
            cr_expect_leq(now + timeout, 2 * interval, "interval %" PRIu64 " fall %" PRIu64,
                          interval, fall);
        }
    }
}

/* '+' and '-' are probes; the row below each says whether the replica is up after it. */
Test(health, rise_and_fall)
{
    static const struct {
        const char *what, *probes, *up;
        unsigned rise, fall;
    } cases[] = {
        {"the first probe decides alone", "-", "-", 2, 2},
        {"one failure is forgiven", "+-+-+", "+++++", 2, 2},
        {"two in a row are not", "+--", "++-", 2, 2},
        {"coming back takes as many", "--+++", "---++", 2, 2},
        {"a failure on the way back starts anew", "-+-++", "----+", 2, 2},
        {"thresholds of one", "+-+-", "+-+-", 1, 1},
        {"slow to rise", "-+++", "---+", 3, 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct health health = HEALTH_INIT;
        bool was = true;
        for (size_t n = 0; cases[i].probes[n]; n++) {
            bool changed =
                health_note(&health, cases[i].probes[n] == '+', cases[i].rise, cases[i].fall);
            cr_expect_eq(health.up, cases[i].up[n] == '+', "%s: probe %zu", cases[i].what, n);
            cr_expect_eq(changed, health.up != was, "%s: probe %zu", cases[i].what, n);
            was = health.up;
        }
    }
}
